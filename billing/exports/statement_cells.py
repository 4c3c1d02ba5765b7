"""What the page and the PDF of a statement write alike."""

from billing import money
from billing.reports import Line
from billing.statements import Statement

NUMBERS = ("Requests", "Input tokens", "of them cached", "Output tokens", "Cost")


def cells_of(line: Line) -> tuple[str, ...]:
    """The numbers of a line, under NUMBERS."""
    counts = (line.requests, line.input_tokens, line.cached_input_tokens, line.output_tokens)
    return (*(f"{count:,}" for count in counts), money.in_full(line.cost_nano))


def when(statement: Statement) -> str:
    """The time that the statement is as of, by the tenant's clocks."""
    return f"{statement.as_of.astimezone(statement.zone):%Y-%m-%d %H:%M %Z}"
