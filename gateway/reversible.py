"""Redaction that can be undone: what placeholders do to an exchange, from its prompt to its answer, and to later ones.

It is done behind the guards and behind what is stored: neither sees the values that the client gets back.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.exchange import Exchange
from gateway.guards import placeholders, replacing
from gateway.guards.base import Action, Guarding, Replacement
from gateway.guards.placeholders import Placeholders, conversation_key, conversation_of
from gateway.guards.replacing import Replacer
from gateway.guards.restoring import Restoring, mentioned, restored
from gateway.plane import Plane
from gateway.wire import texts
from gateway.wire.deltas import Rewriter
from gateway.wire.escapes import Escaped, TextStream

_DATA, _END = b"data: ", b"\n\n"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def replacer(exchange: Exchange, guarding: Guarding) -> Replacer:
    """What stands for what is redacted in this exchange, as policy says of each guard."""
    plain = replacing.replacer(guarding)
    if not _uses_placeholders(guarding):
        return plain
    known = exchange.placeholders = Placeholders(_key(exchange, guarding))
    return placeholders.replacer(plain, known, is_answer=lambda: exchange.sent_at is not None)


async def recall(exchange: Exchange, plane: Plane) -> None:
    """Finds what earlier requests of the conversation gave, where this one names it, so that it can be restored."""
    guarding, known = exchange.principal.guarding, exchange.placeholders
    if guarding is None or known is None or not (_is_kept(guarding) and exchange.end_user):
        return
    codes = {code for text in texts.of_request(exchange.payload) for code in mentioned(text.text, known)}
    if codes:
        await plane.remembering.recall((exchange.principal.tenant_id, exchange.end_user), codes, known)


def keep(exchange: Exchange, plane: Plane) -> None:
    """Has what was given for the first time kept for later requests, if policy wants that. Does not wait."""
    guarding, known = exchange.principal.guarding, exchange.placeholders
    if guarding is None or known is None or not (known.fresh and _is_kept(guarding) and exchange.end_user):
        return
    person = (exchange.principal.tenant_id, exchange.end_user)
    plane.remembering.keep(person, known, seconds=guarding.placeholder_ttl_s)


def whole(exchange: Exchange, body: bytes) -> bytes:
    """A whole answer with the client's own values in it again; the same bytes where none of them is named."""
    known = _restorable(exchange)
    if known is None:
        return body
    answer: dict[str, Any] = _decode(body)
    changed = {}
    for text in texts.of_answer(answer):
        new = restored(text.text, known, in_json=texts.is_json(text.place) or _wants_json(exchange))
        if new != text.text:
            changed[text.place] = new
    if not changed:
        return body
    return _encode(texts.without_logprobs(texts.answer_with(answer, changed)))


class Giving:
    """A streamed answer, after the guards, with the client's own values in it again."""

    def __init__(self, exchange: Exchange, known: Placeholders) -> None:
        self._known = known
        self._wants_json = _wants_json(exchange)
        self._rewriter = Rewriter(self._begin)

    def piece(self, framed: bytes) -> bytes:
        """What goes out in place of some framed events; nothing while it is not decided."""
        events = framed.removesuffix(_END).split(_END)
        return _framed([new for event in events for new in self._rewriter.event(event.removeprefix(_DATA))])

    def rest(self) -> bytes:
        """What is left when nothing comes any more."""
        return _framed(self._rewriter.finish())

    def _begin(self, place: str, is_json: bool) -> TextStream:
        stream = Restoring(self._known, in_json=is_json or self._wants_json)
        return Escaped(stream) if is_json else stream


def giving(exchange: Exchange) -> Giving | None:
    """What puts values back into a stream; None where there are none, or policy says that they are not."""
    known = _restorable(exchange)
    return Giving(exchange, known) if known is not None else None


def _framed(events: Iterable[bytes]) -> bytes:
    return b"".join(_DATA + event + _END for event in events)


def _restorable(exchange: Exchange) -> Placeholders | None:
    guarding, known = exchange.principal.guarding, exchange.placeholders
    return known if guarding is not None and guarding.restore and known else None


def _uses_placeholders(guarding: Guarding) -> bool:
    return any(
        terms.action == Action.REDACT and terms.replacement == Replacement.PLACEHOLDER for terms in guarding.terms
    )


def _is_kept(guarding: Guarding) -> bool:
    return guarding.restore and guarding.placeholder_ttl_s > 0


def _key(exchange: Exchange, guarding: Guarding) -> bytes:
    return conversation_key(
        guarding.key,
        application_id=exchange.principal.application_id,
        end_user=exchange.end_user,
        conversation=conversation_of(exchange.payload),
    )


def _wants_json(exchange: Exchange) -> bool:
    """Whether the answer's texts are JSON, as the request asks for."""
    wanted = exchange.request.response_format
    return wanted is not None and wanted.get("type") in ("json_object", "json_schema")
