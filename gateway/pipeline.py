"""A request's way through the stages, in this order; whatever happens, it is settled and recorded once.

Streams leave here in two steps: `run` until their first piece is in hand, and `stream` for the rest.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import structlog

from gateway import guarded, reversible, unchecked
from gateway.errors import BudgetExceeded, ContentRefused, Refusal, Unavailable, UpstreamFailed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.stages import (
    admit,
    call,
    classify,
    conform,
    guard,
    identify,
    inspect,
    moderate,
    record,
    relay,
    restore,
    route,
    screen,
    settle,
    validate,
)

Stage = Callable[[Exchange, Plane], Awaitable[None]]

STAGES: tuple[Stage, ...] = (
    validate.run,
    identify.run,
    guard.run,
    route.run,
    admit.run,
    moderate.prompt,
    call.run,
    conform.run,
    inspect.run,
    moderate.answer,
    restore.run,
)

MODERATION = (classify.validate, identify.run, screen.run, route.run, admit.run, classify.call)
"""Those of a moderation: it is limited and charged as a chat completion is."""

log = structlog.get_logger("gateway.request")


async def run(exchange: Exchange, plane: Plane, *, stages: Sequence[Stage] = STAGES) -> None:
    """Answers a whole request, or begins a stream.

    Raises:
        Refusal: why there is no answer; it is on record then.
    """
    with plane.in_hand.one_more:
        await _run(exchange, plane, stages)


async def _run(exchange: Exchange, plane: Plane, stages: Sequence[Stage]) -> None:
    try:
        for stage in stages:
            await stage(exchange, plane)
    except ContentRefused as error:
        refusal = unchecked.told_apart(error, exchange)
        await _settled(plane, _fail(exchange, plane, refusal))
        raise refusal from None
    except BaseException as error:
        await _settled(plane, _fail(exchange, plane, error))
        raise
    exchange.overhead_s = _overhead_s(exchange)
    if not exchange.streamed:
        await _settled(plane, _conclude(exchange, plane, outcome="completed"))


async def stream(exchange: Exchange, plane: Plane) -> AsyncGenerator[bytes, None]:
    """The pieces of a stream that `run` began. When it is closed early, the upstream is told at once.

    Raises:
        UpstreamFailed, BudgetExceeded, Unavailable, ContentRefused: the stream ended early; it is on record then, and
            charged.
    """
    passed = exchange.passed = record.passed(exchange)
    giving = reversible.giving(exchange)
    try:
        async for piece in relay.run(exchange, plane):
            if passed is not None:
                passed.add(piece)
            if giving is not None:
                piece = giving.piece(piece)
            if piece:
                yield piece
        if giving is not None and (rest := giving.rest()):
            yield rest
        with plane.in_hand.one_more:
            await conform.afterwards(exchange)
            if exchange.events:
                await moderate.answer(exchange, plane)
            await _settled(plane, _conclude(exchange, plane, outcome="completed"))
    except BudgetExceeded as error:
        await _settled(plane, _conclude(exchange, plane, outcome="over_budget", code=error.code))
        raise
    except ContentRefused as error:
        refusal = unchecked.told_apart(error, exchange)
        status = plane.status_of(refusal)
        await _settled(plane, _conclude(exchange, plane, outcome="blocked", code=refusal.code, status=status))
        raise refusal from None
    except (UpstreamFailed, Unavailable) as error:
        await _settled(plane, _conclude(exchange, plane, outcome="cut", code=error.code, status=plane.status_of(error)))
        raise
    except Exception as error:
        await _settled(plane, _fail(exchange, plane, error))
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
    outcome = "refused"
    if exchange.admitted:
        outcome = "blocked" if isinstance(error, ContentRefused) else "upstream_error"
    return _conclude(exchange, plane, outcome=outcome, code=error.code, status=status)


def _conclude(
    exchange: Exchange, plane: Plane, *, outcome: str, code: str = "", status: int = 200
) -> "asyncio.Future[bool] | None":
    """Ends the exchange: upstream connection, settlement, record. Does not wait; returns the settlement, if any."""
    exchange.outcome, exchange.code, exchange.status = outcome, code, status
    guarded.conclude(exchange)
    plane.metrics.ended(exchange)
    if exchange.upstream is not None:
        is_read = outcome == "completed" or bool(exchange.answer)
        exchange.upstream.release() if is_read else exchange.upstream.abort()
    settlement = None
    if exchange.admitted:
        settlement = plane.ledger.settle(settle.run(exchange))
    elif outcome != "client_left":
        # Only models that exist: a client that makes up names must not make up rows.
        model = exchange.model.name if exchange.model else ""
        plane.refusals.count(exchange.principal, request_id=exchange.request_id, model=model, code=code, status=status)
    record.run(exchange, plane)
    plane.decisions.hand_over(exchange)
    _log(exchange)
    return settlement


async def _settled(plane: Plane, settlement: "asyncio.Future[bool] | None") -> None:
    if settlement is not None:
        await plane.settling.wait(settlement)


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
        **_of_guards(exchange),
    )


def _of_guards(exchange: Exchange) -> dict[str, list[str]]:
    """Which guards did what; nothing where none did anything."""
    done = {f"{each.guard}:{each.error or each.action.name.lower()}" for each in exchange.guard_outcomes}
    return {"guards": sorted(done)} if done else {}
