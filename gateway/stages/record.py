"""Hands over what a request leaves to be stored, where its tenant stores content. Costs nothing where it does not."""

import time
from datetime import UTC, datetime

import msgspec

from gateway import redaction, reversible
from gateway.content import Content, Entry, Passed, Terms
from gateway.exchange import Exchange
from gateway.plane import Plane

_encode = msgspec.json.Encoder().encode


def passed(exchange: Exchange) -> Passed | None:
    """What the pieces of a stream are collected in; None where they are not to be."""
    terms = exchange.principal.content
    if terms is None or _reason(exchange, terms):
        return None
    return Passed(terms.most_bytes)


def run(exchange: Exchange, plane: Plane) -> None:
    """To be called when the request has ended, however it did. Does not wait."""
    if exchange.answer:
        plane.sightings.look(exchange.answer, place="answer", request_id=exchange.request_id)
    elif exchange.streamed:
        plane.sightings.look_at_text(exchange.produced.text, place="answer", request_id=exchange.request_id)
    if exchange.admitted:
        reversible.keep(exchange, plane)
    principal = exchange.principal
    terms = principal.content
    if terms is None or not (exchange.admitted and exchange.is_chat):  # what was refused was no conversation
        return
    reason = _reason(exchange, terms)
    entry = _entry(exchange, terms, reason)
    pieces = exchange.passed.pieces if exchange.passed else []
    size = len(exchange.body) + len(exchange.answer) + (exchange.passed.size if exchange.passed else 0)
    body = _encode(exchange.payload) if exchange.redacted else exchange.body
    content = Content(entry, body, exchange.outgoing, pieces, size, time.monotonic(), principal.guarding)
    if not reason and size > terms.most_bytes:
        reason = "too_large"
    if reason:
        content.drop(reason)
    plane.transcripts.hand_over(content)


def _reason(exchange: Exchange, terms: Terms) -> str:
    """Why nothing can be stored of the request, as far as that is known without asking."""
    if not exchange.end_user:
        return "no_subject"
    if terms.redacted and redaction.redactor() is None:
        return "redaction_unavailable"
    return ""


def _entry(exchange: Exchange, terms: Terms, reason: str) -> Entry:
    principal = exchange.principal
    began = time.time() - (time.perf_counter() - exchange.started)
    return Entry(
        request_id=exchange.request_id,
        tenant_id=principal.tenant_id,
        surrogate=exchange.end_user,
        at=datetime.fromtimestamp(began, UTC),
        reason=reason,
        application_id=principal.application_id,
        api_key_id=principal.key_id,
        environment=principal.environment,
        model=exchange.request.model,
        outcome=exchange.outcome,
        streamed=exchange.streamed,
        purpose=terms.purpose,
        gpc=exchange.gpc,
        redacted=terms.redacted,
    )
