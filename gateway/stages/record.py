"""Hands over what a request leaves to be stored, where its tenant stores content. Costs nothing where it does not."""

import time

import msgspec

from gateway import redaction, reversible
from gateway.content import Content, Passed
from gateway.exchange import Exchange
from gateway.plane import Plane
from gateway.principal import ContentTerms

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
    passed, now = exchange.passed, time.perf_counter()
    body = _encode(exchange.payload) if exchange.redacted else exchange.body
    size = len(body) + len(exchange.outgoing) + (passed.size if passed else 0)
    content = Content(
        request_id=exchange.request_id,
        principal=principal,
        terms=terms,
        surrogate=exchange.end_user,
        model=exchange.request.model,
        outcome=exchange.outcome,
        streamed=exchange.streamed,
        gpc=exchange.gpc,
        began=time.time() - (now - exchange.started),
        handed_at=now,
        body=body,
        answer=exchange.outgoing,
        pieces=passed.pieces if passed else (),
        size=size,
    )
    if reason := _reason(exchange, terms) or ("too_large" if size > terms.most_bytes else ""):
        content.drop(reason)
    plane.transcripts.hand_over(content)


def _reason(exchange: Exchange, terms: ContentTerms) -> str:
    """Why nothing can be stored of the request, as far as that is known without asking."""
    if not exchange.end_user:
        return "no_subject"
    if terms.redacted and redaction.redactor() is None:
        return "redaction_unavailable"
    return ""
