"""Log probabilities: whether they say the same as the text whose tokens they are of. Pure."""

import re
from typing import Any

_TEXTS = ("content", "refusal")
_FIELDS = frozenset({"token", "logprob", "bytes", "top_logprobs"})
_MOST = 16
_TELLING = re.compile(r"(?:\d\D?){7}|@.*\.", re.DOTALL)


def spell(logprobs: Any, message: Any) -> bool:
    """Whether log probabilities hold no text but that of a message or piece, and single tokens in place of its own: too
    short for anything that guards look for."""
    if not isinstance(logprobs, dict) or not isinstance(message, dict) or logprobs.keys() - set(_TEXTS):
        return False
    return all(_are_of(logprobs.get(name), message.get(name)) for name in _TEXTS)


def all_spell(choices: Any) -> bool:
    """Whether that is so in all choices of a whole answer."""
    listed = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    return all(spell(choice["logprobs"], choice.get("message")) for choice in listed if choice.get("logprobs"))


def _are_of(tokens: Any, text: Any) -> bool:
    if tokens is None or tokens == []:
        return True
    if not isinstance(tokens, list) or not isinstance(text, str):
        return False
    parts = [_part(token) for token in tokens]
    return b"".join(part for part in parts if part is not None) == text.encode() and None not in parts


def _part(token: Any) -> bytes | None:
    """What a token stands for; None where it or another in its place may hold more."""
    others = token.get("top_logprobs") if isinstance(token, dict) else None
    if not isinstance(others, list | None) or not all(_is_short(other) for other in others or ()):
        return None
    return _meaning(token)


def _is_short(token: Any) -> bool:
    if _meaning(token) is None or token.get("top_logprobs"):
        return False
    return _tells_nothing(token["token"])


def _meaning(token: Any) -> bytes | None:
    """The bytes of a token; where those are part of a character, something else stands for them."""
    if not isinstance(token, dict) or token.keys() - _FIELDS or not isinstance(token.get("token"), str):
        return None
    if not isinstance(token.get("logprob"), int | float | None):
        return None
    written = token["token"].encode()
    if token.get("bytes") is None:
        return bytes(written)
    try:
        meant = bytes(token["bytes"])
    except (TypeError, ValueError):
        return None
    is_part = b"\xef\xbf\xbd" in meant.decode(errors="replace").encode() and _tells_nothing(token["token"])
    return meant if meant == written or is_part else None


def _tells_nothing(text: str) -> bool:
    return len(text.strip()) <= _MOST and not _TELLING.search(text)
