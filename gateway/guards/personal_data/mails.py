"""E-mail addresses (RFC 5321; beyond ASCII RFC 6531), as they are and as people disguise them."""

import re
from collections.abc import Callable

from gateway.guards.base import Around, Rule
from gateway.guards.personal_data.words import GUARD_NAME

_START = r"[^\W](?<![\w.%+\-@/=].)"
_END = r"(?![\w@]|[.\-][^\W_])"
_LABEL = r"[^\W_][\w\-]{{0,{}}}\."
_TOP = r"(?:xn--[0-9a-zA-Z]{2,6}|[^\W\d_]{2,10})"

_FILES = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|ico|css|js|ts|tsx|py|go|rs|json|ya?ml|html?|txt|exe|dll)$")
_REPOSITORIES = ("git", "svn", "hg")


def _local(most: int, least: int = 0) -> str:
    long = rf"[\w.%+'\-]{{{least}}}" if least else ""
    return rf"{long}[\w.%+'\-]{{0,{most - 1 - least}}}+@"


def _domain(labels: int, each: int) -> str:
    return f"(?:{_LABEL.format(each - 2)}){{1,{labels}}}{_TOP}{_END}"


def _plain() -> str:
    """What is long on one side is short on the other: at most 64 characters altogether."""
    short = _local(22) + f"(?:{_domain(1, 29)}|{_domain(2, 14)}|{_domain(3, 9)})"
    return f"{_START}(?:{short}|{_local(36, least=20)}{_domain(1, 15)})"


_SEEN = r"[^\W_][\w\-]{0,13}\.[a-zA-Z]{2,6}(?![\w.\-])|[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]{1,4}(?::|%3[Aa])"  # by other rules
_LONG = rf"{_START}[\w.%+'\-]{{0,39}}+@(?!{_SEEN})[^\W_][\w\-]{{0,15}}(?:\.[^\W_]|[\w\-])"
_BROKEN_DOMAIN = rf"[\w\-.]{{0,12}}\n?\.?(?:[\w\-]{{1,8}}\.){{0,2}}[^\W\d_]{{2,7}}{_END}"
_BROKEN = rf"{_START}{_local(20)[:-1]}\n?@\n?{_BROKEN_DOMAIN}"
_AT = r"(?: ?[\[({<] ?(?:at|@|arroba|chez) ?[\])}>] ?| @ | at )"
_DOT = r"(?: ?[\[({<] ?(?:dot|\.|punkt|punto|point|ponto) ?[\])}>] ?| (?:dot|punkt|punto) |\.)"
_SPELT_DOMAIN = rf"[a-z0-9][a-z0-9\-]{{0,9}}{_DOT}(?:[a-z]{{2,3}}(?: dot |\.))?[a-z]{{2,6}}(?![\w\-])"
_SPELT = rf"(?i:{_START}[\w.%+\-]{{0,11}}{_AT}{_SPELT_DOMAIN})"


_is_plain = re.compile(_plain()).fullmatch
_SPELT_SCAN = r"(?i)[\[({<] ?(?:at|@|arroba|chez) ?[\])}>]|[ \])}>](?:dot|punkt|punto)[ \[({<]|[a-z0-9] @ [a-z0-9]"


def _score(text: str, _around: Around) -> float:
    """Names of files at a scale (`logo@2x.png`) and of repositories (`git@…`) look the same."""
    local, _, domain = text.partition("@")
    if local[-1] == ".":
        return 0.0
    return 0.2 if _FILES.search(domain) or local.lower() in _REPOSITORIES else 1.0


def _long(text: str, _around: Around) -> float:
    """What is longer than the other rules see: decided by its beginning."""
    return 0.0 if text.partition("@")[0].lower() in _REPOSITORIES else 0.9


def _broken(text: str, around: Around) -> float:
    whole = text.replace("\n", "")
    return _score(whole, around) if whole != text and _is_plain(whole) else 0.0


def _spelt(text: str, _around: Around) -> float:
    """With brackets, or with both words: sentences say `at` as well, and end with a dot."""
    lower = text.lower()
    if any(sign in text for sign in "[({<") or " @ " in text:
        return 0.9
    return 0.9 if any(f" {word} " in lower for word in ("dot", "punkt", "punto")) else 0.0


def rules() -> list[Rule]:
    return [
        _rule(r"[^\s@]@[^\s@]{1,60}\.", _plain(), _score, first=50),
        _rule(r"[^\s@]@[^\s@]{9}", _LONG, _long, first=49, tail=r"[\w.\-]"),
        _rule(r"@\n|\n@|@[^\s@]{1,24}\n", _BROKEN, _broken, first=48),
        _rule(
            _SPELT_SCAN,
            _SPELT,
            _spelt,
            first=47,
        ),
    ]


def _rule(scan: str, pattern: str, check: Callable[[str, Around], float], *, first: int, tail: str = "") -> Rule:
    return Rule(guard=GUARD_NAME, name="EMAIL", scan=scan, pattern=pattern, check=check, first=first, tail=tail)
