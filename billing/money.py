"""Money is an integer count of nano-dollars; this module is where tokens become money. Pure, and without floats."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

NANO = 1_000_000_000
PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts of one request. Cached and written input are parts of `input`; reasoning is part of `output`."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output

    def plus(self, other: "Tokens") -> "Tokens":
        """Those of both."""
        return Tokens(
            input=self.input + other.input,
            output=self.output + other.output,
            cached_input=self.cached_input + other.cached_input,
            cache_write=self.cache_write + other.cache_write,
            reasoning=self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """A price: nano-dollars per million tokens of each kind, and nano-dollars per request.

    `reasoning_nano` is None where reasoning costs what other output costs, `search_nano` where a request that searches
    the web has no price.
    """

    input_nano: int
    output_nano: int
    cached_input_nano: int
    cache_write_nano: int
    request_nano: int = 0
    reasoning_nano: int | None = None
    search_nano: int | None = None

    def fee_nano(self, *, searches: bool) -> int:
        """What a request costs whatever its tokens are."""
        return self.request_nano + ((self.search_nano or 0) if searches else 0)


def cost_nano(tokens: Tokens, rates: Rates, *, searches: bool = False) -> int:
    """What a request of those `tokens` costs, rounded up once to a whole nano-dollar."""
    reasoning_nano = rates.output_nano if rates.reasoning_nano is None else rates.reasoning_nano
    reasoning = min(tokens.reasoning, tokens.output)
    plain_input = max(tokens.input - tokens.cached_input - tokens.cache_write, 0)
    millionths = (
        plain_input * rates.input_nano
        + tokens.cached_input * rates.cached_input_nano
        + tokens.cache_write * rates.cache_write_nano
        + (tokens.output - reasoning) * rates.output_nano
        + reasoning * reasoning_nano
    )
    return -(-millionths // PER_MILLION) + rates.fee_nano(searches=searches)


def hold_nano(*, input_tokens: int, output_tokens: int, rates: Rates, searches: bool = False) -> int:
    """The most that a request of at most these tokens can cost: each at the dearest price that it may have."""
    millionths = input_tokens * dearest_input_nano(rates) + output_tokens * dearest_output_nano(rates)
    return -(-millionths // PER_MILLION) + rates.fee_nano(searches=searches)


def dearest_input_nano(rates: Rates) -> int:
    return max(rates.input_nano, rates.cached_input_nano, rates.cache_write_nano)


def dearest_output_nano(rates: Rates) -> int:
    return max(rates.output_nano, rates.reasoning_nano or 0)


def to_dollars(nano: int) -> Decimal:
    """Nano-dollars as dollars, exactly."""
    return Decimal(nano).scaleb(-9)


def plain(nano: int) -> str:
    """Nano-dollars as dollars, exactly and without a sign of the currency, for programs: `0.0000042`, `12`."""
    sign, rest = ("-", -nano) if nano < 0 else ("", nano)
    whole, fraction = divmod(rest, NANO)
    return f"{sign}{whole}.{fraction:09d}".rstrip("0").rstrip(".")


def from_dollars(dollars: Decimal) -> int:
    """Dollars as nano-dollars; what is finer than a nano-dollar is rounded half to even."""
    return int((dollars * NANO).to_integral_value(rounding=ROUND_HALF_EVEN))


def show(nano: int, *, places: int = 2) -> str:
    """Dollars for people: `$1,234.50`; with four significant digits where `places` would show nothing."""
    dollars = to_dollars(nano)
    if nano and abs(dollars) < Decimal(1).scaleb(-places):
        return f"${dollars.quantize(Decimal(1).scaleb(dollars.adjusted() - 1)):f}"
    return f"${dollars:,.{places}f}"


def in_full(nano: int) -> str:
    """To the nano-dollar where there is more than cents: `$1.50`, `$0.000123456`. A credit has its minus in front."""
    text = f"{to_dollars(abs(nano)):,.9f}"
    whole, _, places = text.partition(".")
    return f"{'−' if nano < 0 else ''}${whole}.{places.rstrip('0').ljust(2, '0')}"
