"""Redacts content before it is encrypted and stored, where the tenant's content policy demands that.

Whatever a guard policy does about a finding on its way, in what is stored a label stands instead: all that the policy's
finders find, and personal data and secrets in any case.
"""

from collections import OrderedDict

import msgspec
from msgspec import structs

from gateway.guards.base import Action, Direction, Guarding, Terms
from gateway.guards.engine import Engine, engine_of
from gateway.guards.registry import guards
from gateway.guards.replacing import replacer
from gateway.wire import texts
from gateway.wire.joined import Joined

ALWAYS = ("personal_data", "secrets")
ENGINES_MOST = 256

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class GuardRedactor:
    """Redacts by guards. Used by one thread at a time for one content, by several for several."""

    def __init__(self) -> None:
        self._engines: OrderedDict[int, tuple[Guarding | None, Engine]] = OrderedDict()

    def redacted(self, plaintext: bytes, guarding: Guarding | None) -> bytes:
        """See `gateway/redaction.py`."""
        content = _decode(plaintext)
        engine = self._engine(guarding)
        replace = replacer(engine.guarding)
        request, answer = content["request"], content["answer"]
        joined = Joined(texts.of_request(request))
        verdict = engine.look(joined.texts, Direction.PROMPT, replace=joined.noting(replace))
        if answer is not None:
            of_answer = engine.look(texts.of_answer(answer), Direction.ANSWER, replace=replace)
            answer = texts.without_logprobs(texts.answer_with(answer, of_answer.changed))
            verdict.outcomes += of_answer.outcomes
        if any(each.error for each in verdict.outcomes):
            raise ValueError("content cannot be redacted: a guard failed")
        return _encode(
            {**content, "request": texts.request_with(request, joined.apart(verdict.changed)), "answer": answer}
        )

    def _engine(self, guarding: Guarding | None) -> Engine:
        kept = self._engines.get(id(guarding))
        if kept is None or kept[0] is not guarding:
            kept = self._engines[id(guarding)] = (guarding, engine_of(for_storing(guarding)))
            if len(self._engines) > ENGINES_MOST:
                self._engines.popitem(last=False)
        return kept[1]


def for_storing(guarding: Guarding | None) -> Guarding:
    """The policy by which content is redacted that is stored of requests under `guarding`."""
    found = guarding or Guarding(policy_id=0, terms=())
    names = dict.fromkeys((*ALWAYS, *(terms.guard for terms in found.terms)))
    known = guards()
    finders = [name for name in names if name in known and (known[name].rules or known[name].finders)]
    return structs.replace(found, terms=tuple(_label(name, found.of(name)) for name in finders))


def _label(guard: str, terms: Terms | None) -> Terms:
    """What a policy leaves out of the kinds that are always redacted is redacted here all the same."""
    everything = Terms(guard=guard, action=Action.REDACT, settings=terms.settings if terms else {})
    if terms is None or guard in ALWAYS:
        return everything
    return structs.replace(everything, rules=terms.rules, threshold=terms.threshold)
