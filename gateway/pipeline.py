"""A request's way through the stages, in this order; whatever happens, it is settled and recorded once.

Streams leave here in two steps: `run` until their first piece is in hand, and `stream` for the rest.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

import structlog

from gateway.errors import BudgetExceeded, Refusal, Unavailable, UpstreamFailed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.stages import admit, call, relay, route, settle, validate

STAGES = (validate.run, route.run, admit.run, call.run)

SETTLED_WITHIN_S = 1.0
"""How long an answer waits for its settlement. After that it goes out, and the ledger is told when it is back."""

log = structlog.get_logger("gateway.request")


async def run(exchange: Exchange, plane: Plane) -> None:
    """Answers a whole request, or begins a stream.

    Raises:
        Refusal: why there is no answer; it is on record then.
    """
    try:
        for stage in STAGES:
            await stage(exchange, plane)
    except BaseException as error:
        await _settled(_fail(exchange, plane, error))
        raise
    exchange.overhead_s = _overhead_s(exchange)
    if not exchange.streamed:
        await _settled(_conclude(exchange, plane, outcome="completed"))


async def stream(exchange: Exchange, plane: Plane) -> AsyncGenerator[bytes, None]:
    """The pieces of a stream that `run` began. When it is closed early, the upstream is told at once.

    Raises:
        UpstreamFailed, BudgetExceeded, Unavailable: the stream ended early; it is on record then, and charged.
    """
    try:
        async for piece in relay.run(exchange, plane):
            yield piece
        await _settled(_conclude(exchange, plane, outcome="completed"))
    except BudgetExceeded as error:
        await _settled(_conclude(exchange, plane, outcome="over_budget", code=error.code))
        raise
    except (UpstreamFailed, Unavailable) as error:
        await _settled(_conclude(exchange, plane, outcome="cut", code=error.code, status=plane.status_of(error)))
        raise
    except Exception as error:
        await _settled(_fail(exchange, plane, error))
        raise
    finally:  # also when the client has left: nothing here may wait
        if not exchange.outcome:
            _conclude(exchange, plane, outcome="client_left", status=499)


def _fail(exchange: Exchange, plane: Plane, error: BaseException) -> "asyncio.Future[bool] | None":
    exchange.overhead_s = _overhead_s(exchange)
    if isinstance(error, asyncio.CancelledError):
        exchange.may_be_billed = exchange.sent_at is not None
        return _conclude(exchange, plane, outcome="client_left", status=499)
    status = plane.status_of(error)
    if not isinstance(error, Refusal):
        exchange.may_be_billed = exchange.sent_at is not None
        return _conclude(exchange, plane, outcome="failed", code="internal_error", status=status)
    exchange.may_be_billed = error.billable
    outcome = "upstream_error" if exchange.admitted else "refused"
    return _conclude(exchange, plane, outcome=outcome, code=error.code, status=status)


def _conclude(
    exchange: Exchange, plane: Plane, *, outcome: str, code: str = "", status: int = 200
) -> "asyncio.Future[bool] | None":
    """Ends the exchange: upstream connection, settlement, record. Does not wait; returns the settlement, if any."""
    exchange.outcome, exchange.code, exchange.status = outcome, code, status
    plane.metrics.ended(exchange)
    if exchange.upstream is not None:
        exchange.upstream.abort() if outcome != "completed" else exchange.upstream.release()
    settlement = None
    if exchange.admitted:
        settlement = plane.ledger.settle(settle.run(exchange))
    elif outcome != "client_left":
        # Only models that exist: a client that makes up names must not make up rows.
        model = exchange.model.name if exchange.model else ""
        plane.refusals.count(exchange.principal, request_id=exchange.request_id, model=model, code=code, status=status)
    _log(exchange)
    return settlement


async def _settled(settlement: "asyncio.Future[bool] | None") -> None:
    if settlement is not None:
        await asyncio.wait({settlement}, timeout=SETTLED_WITHIN_S)


def _overhead_s(exchange: Exchange) -> float:
    """Time so far that was not spent waiting for the upstream."""
    now = time.perf_counter()
    if exchange.sent_at is None:
        return now - exchange.started
    return exchange.sent_at - exchange.started + (now - exchange.answered_at if exchange.answered_at else 0.0)


def _log(exchange: Exchange) -> None:
    log.info(
        "request",
        request_id=exchange.request_id,
        tenant=exchange.principal.tenant,
        key_id=exchange.principal.public_id,
        model=exchange.model.name if exchange.model else None,
        deployment=exchange.route.name if exchange.route else None,
        outcome=exchange.outcome,
        code=exchange.code,
        status=exchange.status,
        latency_ms=int((time.perf_counter() - exchange.started) * 1000),
        input_tokens=exchange.tokens.input,
        output_tokens=exchange.tokens.output,
        cost_nano=exchange.cost_nano,
        estimated=exchange.estimated,
    )
