"""Addresses of machines (IPv4 in four decimals; IPv6 as in RFC 4291), and URLs with a name and password in them."""

import ipaddress
import re

from gateway.guards.base import Around, Rule
from gateway.guards.personal_data.words import GUARD_NAME, beside

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_BYTE = r"[0-9](?:\n?[0-9]){0,2}"
_V4 = (
    r"[0-9](?<![\w.][0-9])(?<![0-9][\-,][0-9])(?:\n?[0-9]){0,2}"
    rf"(?:\n?\.\n?{_BYTE}){{3}}(?![\w]|\n[0-9]|\.[0-9\w]|-[0-9])"
)
_HEX = "[0-9A-Fa-f]"
_V6 = (
    rf"(?<![\w:.])(?={_HEX}{{0,4}}:\n?{_HEX}{{0,4}}:)(?:{_HEX}{{0,4}}:\n?){{2,7}}"
    rf"(?:(?:{_OCTET}\.){{3}}{_OCTET}|{_HEX}{{0,4}})(?:%\w{{1,3}})?(?![\w:])"
)
_V6_BROKEN = r"[0-9A-Fa-f](?<![\w:.].)[0-9A-Fa-f:]{1,30}\n[0-9A-Fa-f:]{1,30}(?![\w:])"
_CREDENTIALS = r"[A-Za-z](?<![A-Za-z0-9].)[A-Za-z0-9+.\-]{1,14}://[^\s/:@?#\"'<>]{0,20}:[^\s/@\"'<>]{1,22}@[\w\[]"

_is_version = beside(
    ("v | ver | version | rv | release | build | firmware | section | chapter | clause | upgrade | abschnitt",),
    within=16,
)
_is_phone = beside(("phone | tel | telefon | call | dial | fax | mobile | answering(?: at)?",), within=24)
_is_address = beside(
    ("ip | ipv[46] | address(?:es)? | host | server | gateway | dns | ping | subnet | client | adresse | dirección",)
)
_EXAMPLES = re.compile(
    r"(?i):(?:pass(?:word|wd)?|pw|pwd|secret|token|your[\w\-]*|[x*.]+|<.*|\$.*|\{.*|%s|\.\.\.|changeme|example|⟦.*⟧)@"
)


def _v4(text: str, around: Around) -> float:
    try:
        address = ipaddress.IPv4Address(text.replace("\n", ""))
    except ValueError:
        return 0.0
    if address.is_loopback or address.is_unspecified or int(address) >= 0xE0000000:
        return 0.2  # nobody's: loopback, multicast, masks, broadcast
    if _is_version(around) or (_is_phone(around) and not _is_address(around)):
        return 0.3
    small = all(byte < 20 for byte in address.packed) and not _is_address(around)
    return 0.4 if small and address.packed[0] != 10 else 0.9


def _v6_broken(text: str, around: Around) -> float:
    """Broken by the end of a line, within a group: only where it is written in full."""
    return _v6(text.replace("\n", ""), around) if text.count(":") == 7 else 0.0


def _v6(text: str, around: Around) -> float:
    """Paths of programs (`a::b`) and times look the same: short ones count only beside their words."""
    compact = text.replace("\n", "").partition("%")[0]
    try:
        address = ipaddress.IPv6Address(compact)
    except ValueError:
        return 0.0
    if address.is_loopback or address.is_unspecified:
        return 0.2
    groups = [group for group in compact.split(":") if group]
    certain = len(groups) >= 3 and any(char.isdigit() for char in compact)
    return 0.95 if certain or _is_address(around) or address.is_link_local else 0.3


def _password(text: str, _around: Around) -> float:
    return 0.3 if _EXAMPLES.search(text) else 0.95


def addresses() -> list[Rule]:
    return [
        Rule(
            guard=GUARD_NAME,
            name="IP_ADDRESS",
            scan=r"[0-9]\n?\.[0-9\n]{1,4}\.[0-9\n]{1,4}\.\n?[0-9]",
            pattern=_V4,
            check=_v4,
            first=65,
        ),
        Rule(
            guard=GUARD_NAME,
            name="IP_ADDRESS",
            scan=r":\n?[0-9A-Fa-f]{0,4}:",
            pattern=_V6,
            check=_v6,
            first=65,
        ),
        Rule(
            guard=GUARD_NAME,
            name="IP_ADDRESS",
            scan=r":[0-9A-Fa-f]{0,4}\n[0-9A-Fa-f]{0,4}:",
            pattern=_V6_BROKEN,
            check=_v6_broken,
            first=64,
        ),
    ]


def credentials() -> list[Rule]:
    return [
        Rule(
            guard=GUARD_NAME,
            name="URL_CREDENTIALS",
            scan=r"://[^\s/@]{0,44}:[^\s/@]{1,44}@",
            pattern=_CREDENTIALS,
            check=_password,
            tail=r"[\w.\-:/\]]",
            first=75,
        ),
    ]
