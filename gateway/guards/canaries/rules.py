"""How canaries are found in answers: as they are, with signs between letters, backwards, and in simple ciphers.

What is encoded is decoded before it comes here, and what looks alike is folded: see `decoding.py`, `folding.py`.
"""

import re
from collections.abc import Sequence

from gateway.guards.base import CORE_MOST, Guarding, Rule, Terms
from gateway.guards.canaries.tokens import ALPHABET, PREFIX, beginning
from gateway.guards.injection.ciphers import ENCIPHERED

NAME = "canaries"
RULE = "canary"

BETWEEN = r"[\W_]"
"""What may stand between letters, as often as it fits into `CORE_MOST` between all of them."""

TOKEN_LEAST = 8
"""Characters of an application's own canary, so that no text holds it by chance."""

_SIGNS = re.compile(r"[^a-z0-9]")


def rules(guarding: Guarding, terms: Terms) -> Sequence[Rule]:
    """Those of the tenant's canaries, and of the marks that the policy's setting `tokens` names."""
    tokens = [rule for token in terms.settings.get("tokens") or () for rule in _of(token)]
    return [*_own(guarding.key), *tokens]


def _own(key: bytes) -> list[Rule]:
    """Scanned for by what all tenants' canaries begin with, so that one database serves them all."""
    exact, coarse = (_expressions(each, BETWEEN + _times(beginning(key))) for each in (beginning(key), PREFIX))
    return [_rule(each, scan, f"[A-Z{ALPHABET}]") for each, scan in zip(exact, coarse, strict=True)]


def _of(token: str) -> list[Rule]:
    letters = _SIGNS.sub("", token.lower())
    if TOKEN_LEAST <= len(letters) <= (CORE_MOST + 1) // 2:
        expressions = _expressions(letters, BETWEEN + _times(letters))
    else:
        expressions = _expressions(token[:CORE_MOST].lower(), "")
    return [_rule(each, each, "") for each in dict.fromkeys(expressions)]


def _times(letters: str) -> str:
    return f"{{0,{(CORE_MOST - len(letters)) // (len(letters) - 1)}}}"


def _expressions(core: str, between: str) -> tuple[str, str, str]:
    """A token as it is and backwards, with `between` between letters, and in ciphers."""
    turned = dict.fromkeys(form(core) for form in ENCIPHERED.values())
    apart, backwards = (between.join(map(re.escape, form)) for form in (core, core[::-1]))
    return apart, backwards, "|".join(map(re.escape, turned))


def _rule(expression: str, scan: str, tail: str) -> Rule:
    """In any case."""
    pattern, scan = (f"(?i)(?:{each})" for each in (expression, scan))
    return Rule(guard=NAME, name=RULE, pattern=pattern, scan=scan, tail=tail, first=100)
