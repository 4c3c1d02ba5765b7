"""What the ledger should do, as plain Python: one request after another, with whole numbers only.

Times are nanoseconds since the epoch. A period that is over is marked by hand; `epoch` counts the periods of a meter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from billing.contracts import MeterKind, MeterSet, MeterSpec

NEVER = -1
MS_NS = 10**6


@dataclass(slots=True, eq=False)
class Meter:
    """`is_over`: its period has been over for days, and no admission has begun another one since."""

    name: str
    used: int = 0
    held: int = 0
    tat_ns: int = 0
    epoch: int = 0
    has_period: bool = False
    is_over: bool = False


@dataclass(slots=True)
class Cell:
    """A meter that a hold takes from. `mark`: of a budget the epoch, of a rate nanoseconds per token."""

    meter: Meter
    kind: MeterKind
    mark: int
    window_ns: int

    @property
    def is_current(self) -> bool:
        return self.kind == MeterKind.BUDGET and self.mark == self.meter.epoch


@dataclass(slots=True)
class Hold:
    cost: int
    input: int
    output: int
    admitted_ns: int
    cells: list[Cell]

    def tokens(self, kind: MeterKind) -> int:
        return amount(kind, cost=self.cost, input=self.input, output=self.output)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that asks for admission."""

    id: str
    meters: MeterSet
    cost: int
    input: int
    output: int

    def amount(self, kind: MeterKind) -> int:
        return amount(kind, cost=self.cost, input=self.input, output=self.output)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`waits_ms`: by name, those of all meters that refuse. Empty, and without `missing`: admitted."""

    waits_ms: dict[str, int] = field(default_factory=dict)
    missing: str = ""

    @property
    def is_admitted(self) -> bool:
        return not self.waits_ms and not self.missing


def amount(kind: MeterKind, *, cost: int, input: int, output: int) -> int:
    return {
        MeterKind.BUDGET: cost,
        MeterKind.TOKENS: input + output,
        MeterKind.INPUT_TOKENS: input,
        MeterKind.OUTPUT_TOKENS: output,
    }.get(kind, 1)


def unit_ns(spec: MeterSpec) -> int:
    """Of a rate: nanoseconds per request or token."""
    return spec.window_ns // spec.limit if spec.limit else 0


class Model:
    """One tenant's meters and holds."""

    def __init__(self) -> None:
        self.meters: dict[str, Meter] = {}
        self.holds: dict[str, Hold] = {}
        self.charges: dict[str, int] = {}
        """What was settled, by request."""

    # --- admission -------------------------------------------------------------------------------------------------

    def admit(self, asks: Sequence[Ask], *, at_ns: int) -> list[Verdict]:
        specs = self.latest_specs(asks)
        self._make(specs)
        for name, spec in specs.items():
            if name in self.meters and spec.kind == MeterKind.BUDGET:
                self._roll_over(self.meters[name], spec)
        return [self._admit(ask, specs, at_ns) for ask in asks]

    @staticmethod
    def latest_specs(asks: Iterable[Ask]) -> dict[str, MeterSpec]:
        """Each meter as the last of the batch's sets knows it."""
        sets = dict.fromkeys(ask.meters for ask in asks)
        return {spec.name: spec for meters in sets for spec in meters.specs}

    def left(self, spec: MeterSpec, *, at_ns: int) -> int:
        """What is left of a meter: nano-dollars, requests, tokens or requests at once."""
        meter = self.meters[spec.name]
        if spec.kind == MeterKind.BUDGET:
            return spec.limit - meter.used - meter.held
        if spec.kind == MeterKind.CONCURRENCY:
            return max(spec.limit - meter.held, 0)
        return max(self._room_ns(spec, at_ns), 0) // unit_ns(spec) if spec.limit else 0

    def _make(self, specs: dict[str, MeterSpec]) -> None:
        there = sum("#" in name for name in self.meters)
        for name in sorted(set(specs) - set(self.meters)):
            if "#" in name and not name.endswith("#"):
                if specs[name].most <= there:
                    continue
                there += 1
            self.meters[name] = Meter(name)

    @staticmethod
    def _roll_over(meter: Meter, spec: MeterSpec) -> None:
        if meter.is_over and not spec.period.startswith("dates/"):
            meter.used = meter.held = 0
            meter.epoch += 1
        meter.is_over = False
        meter.has_period = True

    def _admit(self, ask: Ask, specs: dict[str, MeterSpec], at_ns: int) -> Verdict:
        missing = next((spec.name for spec in ask.meters.specs if spec.name not in self.meters), "")
        if missing:
            return Verdict(missing=missing)
        waits = {
            spec.name: wait
            for spec in ask.meters.specs
            if not spec.soft and (wait := self._wait(specs[spec.name], ask, at_ns)) is not None
        }
        if waits:
            return Verdict(waits)
        cells = []
        for own in ask.meters.specs:
            spec, meter = specs[own.name], self.meters[own.name]
            mark = meter.epoch if spec.kind == MeterKind.BUDGET else unit_ns(spec)
            cells.append(Cell(meter, spec.kind, mark, spec.window_ns))
            if spec.kind == MeterKind.REQUESTS:
                meter.tat_ns = max(meter.tat_ns, at_ns) + unit_ns(spec)
            else:
                meter.held += ask.amount(spec.kind)
        self.holds[ask.id] = Hold(ask.cost, ask.input, ask.output, at_ns, cells)
        return Verdict()

    def _wait(self, spec: MeterSpec, ask: Ask, at_ns: int) -> int | None:
        """None: it does not refuse. A period's end is not known here: 1 stands for it."""
        wanted = ask.amount(spec.kind)
        if spec.kind == MeterKind.BUDGET:
            if wanted <= self.left(spec, at_ns=at_ns):
                return None
            return NEVER if wanted > spec.limit or spec.period == "total" else 1
        if spec.kind == MeterKind.CONCURRENCY:
            if spec.limit - self.meters[spec.name].held >= 1:
                return None
            return 1000 if spec.limit else NEVER
        if spec.limit == 0 or wanted * unit_ns(spec) > spec.window_ns:
            return NEVER
        missing_ns = wanted * unit_ns(spec) - self._room_ns(spec, at_ns)
        if missing_ns <= 0:
            return None
        drains_ns = self._drains_ns(spec, at_ns)
        if spec.kind == MeterKind.REQUESTS or missing_ns <= drains_ns:
            return -(-missing_ns // MS_NS)
        return max(-(-drains_ns // MS_NS), 1000)

    def _room_ns(self, spec: MeterSpec, at_ns: int) -> int:
        return spec.window_ns - self._drains_ns(spec, at_ns) - self.meters[spec.name].held * unit_ns(spec)

    def _drains_ns(self, spec: MeterSpec, at_ns: int) -> int:
        return max(self.meters[spec.name].tat_ns - at_ns, 0)

    # --- extension -------------------------------------------------------------------------------------------------

    def extend(self, request_id: str, *, cost: int, output: int, budgets: Sequence[MeterSpec]) -> bool:
        hold = self.holds.get(request_id)
        if hold is None:
            return False
        limits = {spec.name: spec.limit for spec in budgets}
        current = [cell.meter for cell in hold.cells if cell.is_current]
        for meter in current:
            is_known = self.meters.get(meter.name) is meter
            if is_known and meter.name in limits and meter.used + meter.held + cost > limits[meter.name]:
                return False
        for meter in current:
            meter.held += cost
        for cell in hold.cells:
            if cell.kind in (MeterKind.TOKENS, MeterKind.OUTPUT_TOKENS):
                cell.meter.held += output
        hold.cost += cost
        hold.output += output
        return True

    # --- settlement ------------------------------------------------------------------------------------------------

    def settle(self, ends: Iterable[tuple[str, int, int, int]], *, at_ns: int) -> set[str]:
        """Ends requests with what they cost and took: (id, cost, input, output). Returns those that this ended."""
        ended: dict[str, tuple[Hold, int, int, int]] = {}
        for request_id, *taken in ends:
            if request_id in self.holds:
                cost, input, output = taken
                ended[request_id] = self.holds.pop(request_id), cost, input, output
                self.charges[request_id] = cost
        taken_ns: dict[Meter, int] = {}
        for hold, cost, input, output in ended.values():
            for cell in hold.cells:
                if cell.is_current:
                    cell.meter.held -= hold.cost
                    cell.meter.used += cost
                elif cell.kind == MeterKind.CONCURRENCY:
                    cell.meter.held -= 1
                elif cell.kind not in (MeterKind.BUDGET, MeterKind.REQUESTS):
                    cell.meter.held -= hold.tokens(cell.kind)
                    tokens = amount(cell.kind, cost=cost, input=input, output=output)
                    now_ns = min(tokens * cell.mark, cell.window_ns)
                    taken_ns[cell.meter] = taken_ns.get(cell.meter, 0) + now_ns
        for meter, more_ns in taken_ns.items():
            if more_ns:
                meter.tat_ns = max(meter.tat_ns, at_ns) + more_ns
        return set(ended)

    def sweep(self, request_ids: Iterable[str], *, at_ns: int) -> set[str]:
        """Charges holds at what was held."""
        holds = [(request_id, self.holds[request_id]) for request_id in request_ids]
        return self.settle([(i, hold.cost, hold.input, hold.output) for i, hold in holds], at_ns=at_ns)

    # --- time and tidying ------------------------------------------------------------------------------------------

    def forget(self, *, at_ns: int) -> None:
        """Lets go of meters that say nothing."""
        for meter in list(self.meters.values()):
            rate_is_full = not meter.has_period and meter.tat_ns <= at_ns
            period_is_gone = meter.has_period and meter.is_over and "#" in meter.name
            if meter.held == 0 and (rate_is_full or period_is_gone):
                del self.meters[meter.name]
