"""What a run found out."""

from dataclasses import dataclass
from statistics import median

from benchmarks.scenarios import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One server under load for a few seconds. Processor time is in µs per unit of the scenario."""

    rate: float
    p50_ms: float
    p99_ms: float
    first_p50_ms: float
    first_p99_ms: float
    cpu_us: float
    postgres_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rounds of one scenario. Each of the forwarder's has the gateway's that followed it in the same place."""

    scenario: Scenario
    forwarder: list[Round]
    gateway: list[Round]

    @property
    def ratio(self) -> float:
        """The gateway's processor time by the forwarder's: the median of the pairs."""
        pairs = zip(self.gateway, self.forwarder, strict=True)
        return median(gateway.cpu_us / forwarder.cpu_us for gateway, forwarder in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of the gateway's process, in MB."""

    at_rest_mb: float
    with_streams_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a report is made of. `about` is what the figures were taken on."""

    about: dict[str, str]
    memory: Memory
    after_load_mb: float
    results: list[Result]
