"""What pins the ledger: transactions, slots and standbys that keep its server from pruning old row versions.

The meters are rewritten thousands of times a second, and every reader pays for the versions that cannot be pruned.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files

from django.db import connections
from django.utils import timezone

from billing.outline import outline

LEDGER = "ledger"
LAGGING_TRANSACTIONS = 10_000
"""How far a slot or a standby may lie behind before it counts."""

STATEMENT = files("billing").joinpath("sql", "pins.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One thing that pins the ledger. `name` is a process id, or what a slot or prepared transaction is called.

    `since` is None where the server tells no time. `statement` is an outline, without literals.
    """

    kind: str
    name: str
    database: str
    application: str
    role: str
    state: str
    statement: str
    began: datetime | None
    since: datetime | None
    transactions: int
    wrote: bool

    @property
    def age_s(self) -> float | None:
        return (timezone.now() - self.since).total_seconds() if self.since else None

    @property
    def pins(self) -> str:
        """In words, why it does."""
        match self.kind:
            case "session" if self.wrote:
                return "the whole server: it has written"
            case "session":
                return "the ledger: it has a snapshot there"
            case "prepared transaction":
                return "the whole server: it waits to be committed"
            case "replication slot":
                return "the whole server: it keeps what its reader has not read"
            case _:
                return "the whole server: it asks to keep what its queries read"


def present(*, older_than_s: float = 0.0) -> list[Pin]:
    """What pins the ledger right now, the oldest transaction first.

    A transaction younger than `older_than_s` is left out; one whose age the server does not tell is not.
    """
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(STATEMENT, {"lagging": LAGGING_TRANSACTIONS})
        found = [_pin(*row) for row in cursor.fetchall()]
    latest = timezone.now() - timedelta(seconds=older_than_s)
    return [pin for pin in found if pin.since is None or pin.since <= latest]


def _pin(
    kind: str,
    name: str,
    database: str | None,
    application: str | None,
    role: str | None,
    state: str | None,
    query: str | None,
    began: datetime | None,
    since: datetime | None,
    transactions: int,
    wrote: bool,
) -> Pin:
    return Pin(
        kind=kind,
        name=name,
        database=database or "",
        application=application or "",
        role=role or "",
        state=state or "unknown",
        statement=outline(query or ""),
        began=began,
        since=since,
        transactions=transactions,
        wrote=wrote,
    )
