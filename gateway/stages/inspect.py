"""Has guards look at a whole answer before the client gets it. Streams are looked at while they pass (`relay`)."""

from gateway import guarded
from gateway.exchange import Exchange
from gateway.plane import Plane


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `outgoing`, the answer as guards let it pass, and more of `guard_outcomes`.

    Raises:
        ContentRefused: a guard blocks the answer. It is charged: the upstream has worked for it.
    """
    if exchange.streamed:
        return
    exchange.outgoing = exchange.answer
    if guarded.engine(exchange) is not None:
        exchange.outgoing = b""
        exchange.outgoing = guarded.look_at_answer(exchange, exchange.answer)
