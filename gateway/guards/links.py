"""Guard `links`: addresses in answers, against the hosts that a policy allows. Pure.

An answer that a page renders fetches its images at once: what a prompt was made to put into such an address has left.
So images are a rule of their own. Hosts are compared in the form in which a browser asks for them: in ASCII (IDNA),
without a port, without the dot at the end; an address with a user before an @ leads to no host of a list.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.guards.base import Action, Around, Direction, Guard, Guarding, Kind, Rule, Setting, Terms

NAME = "links"
HOST_MOST = 50
"""Characters in which a host must have ended; one that is longer is on no list."""

_SCHEME = r"(?:https?|ftps?|wss?)\s{0,1}:[/\\]{1,4}"
_ADDRESS = rf"(?i)(?<![a-z0-9]){_SCHEME}[^\s<>\"'`)\]}}]{{1,{HOST_MOST}}}"
_BARE = rf"(?i)(?<![a-z0-9/\\:@.-])(?:[/\\]{{2}}(?=[^\s/\\]{{1,40}}\.)|www\.)[^\s<>\"'`)\]}}]{{1,{HOST_MOST}}}"
_UNSAFE = r"(?i)(?<![a-z0-9])(?:javascript|vbscript|data|file|blob|about|filesystem|view-source)\s{0,1}:(?=[^\s])"
_TAIL = r"[^\s<>\"'`)\]}]"
_IMAGE = re.compile(
    r"!\[[^\]]*\]\(\s*<?$|<(?:img|image|video|audio|source|track|embed|input|picture)\b[^<>]*$|url\(\s*[\"']?$"
)
_LINK = re.compile(
    r"\]\(\s*<?$|\]:\s*<?$|\b(?:href|src|action|data|poster|background|srcset)\s*=\s*[\"']?$|url\(\s*[\"']?$"
)
_DATA = re.compile(r"data\s?:", re.IGNORECASE)
_PREFIX = re.compile(rf"(?i){_SCHEME}|[/\\]{{2}}")
_END = re.compile(r"[/\\?#\s]")
_PATTERN = re.compile(r"(?:\*\.)?[^\s/\\@:*]+(?:\.[^\s/\\@:*]+)*")


def rules(guarding: Guarding, terms: Terms) -> Sequence[Rule]:
    allowed = Hosts(terms.settings.get("hosts", ()))
    return [rule for rule in _rules(allowed) if not terms.rules or rule.name in terms.rules]


def _rules(allowed: "Hosts") -> Iterator[Rule]:
    for form, scan in ((_ADDRESS, rf"(?i){_SCHEME}"), (_BARE, r"(?i)[/\\]{2}|www\.")):
        yield Rule(
            guard=NAME, name="image", scan=scan, pattern=form, check=_Unlisted(allowed, _IMAGE), tail=_TAIL, first=46
        )
        yield Rule(
            guard=NAME, name="link", scan=scan, pattern=form, check=_Unlisted(allowed, None), tail=_TAIL, first=45
        )
    yield Rule(
        guard=NAME,
        name="unsafe_address",
        scan=r"(?i)(?:javascript|vbscript|data|file|blob|about|filesystem|view-source)\s{0,1}:",
        pattern=_UNSAFE,
        check=_is_linked,
        tail=_TAIL,
        first=46,
    )


class Hosts:
    """The hosts of a list: each itself, and those under it where it begins with `*.`."""

    def __init__(self, lines: Sequence[str]) -> None:
        names = [line.strip() for line in lines]
        self._exact = {host_of(name) for name in names if not name.startswith("*.")}
        self._under = tuple("." + host_of(name[2:]) for name in names if name.startswith("*."))

    def has(self, host: str) -> bool:
        return bool(host) and (host in self._exact or (bool(self._under) and host.endswith(self._under)))


class _Unlisted:
    """Whether an address leads to a host that is on no list. `where`: what must stand before it."""

    def __init__(self, allowed: Hosts, where: re.Pattern[str] | None) -> None:
        self._allowed = allowed
        self._where = where

    def __call__(self, value: str, around: Around) -> float:
        if self._where is not None and not self._where.search(around.before):
            return 0.0
        address = around.written or value
        return 0.0 if self._allowed.has(host_in(address)) else 0.9


def host_in(address: str) -> str:
    """The host that a browser would ask; nothing where it does not end in the address, or a user stands before it."""
    rest = address[found.end() :] if (found := _PREFIX.match(address)) else address
    end = _END.search(rest)
    place = rest[: end.start()] if end else rest
    if end is None and len(rest) >= HOST_MOST:
        return ""
    if "@" in place or "%" in place:
        return ""
    return host_of(re.sub(r":\d*$", "", place.rstrip(".,;:!?*_~")))


def host_of(name: str) -> str:
    """A host's name in ASCII, or nothing where it is none."""
    name = name.strip().rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return ""


def _is_linked(value: str, around: Around) -> float:
    """As the target of a link or an image: in prose `data:` is a word with a colon."""
    linked = _LINK.search(around.before) or _IMAGE.search(around.before)
    return 0.9 if linked else 0.0


def _check_hosts(lines: Any) -> None:
    for line in lines:
        if not _PATTERN.fullmatch(line.strip()) or not host_of(line.removeprefix("*.")):
            raise ValueError(f"{line[:60]!r} is not a host; write acme.example, or *.acme.example for all under it.")


GUARD = Guard(
    name=NAME,
    title="Links",
    help=(
        "Links and images in answers that lead elsewhere than to the hosts allowed, and addresses that run or carry "
        "content (javascript:, data:). Without hosts, all links are found."
    ),
    actions=tuple(Action),
    directions=frozenset({Direction.ANSWER}),
    rules=rules,
    rule_names=("link", "image", "unsafe_address"),
    settings=(
        Setting(
            name="hosts",
            title="Hosts allowed",
            help="One a line: acme.example, or *.acme.example for all under it.",
            kind=Kind.LINES,
            most=500,
            check=_check_hosts,
        ),
    ),
)
