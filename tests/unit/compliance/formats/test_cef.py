import re

from hypothesis import given

from compliance.contracts import ANONYMOUS
from compliance.evidence.formats import cef
from compliance.evidence.formats.rows import Row
from tests.unit.compliance.formats.events import ORIGIN, a_row, hostile, rows

SEPARATORS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def parse(line: str) -> tuple[list[str], dict[str, str]]:
    """A reader of CEF, written from the format's guide: seven bars, then keys and values."""
    parts, rest = [], line
    for _ in range(7):
        part, rest = _until_bar(rest)
        parts.append(part)
    found = list(re.finditer(r"(?:^| )([A-Za-z0-9_.]+)(?<!\\)=", rest))
    ends = [each.start() for each in found[1:]] + [len(rest)]
    pairs = {each.group(1): _plain(rest[each.end() : end]) for each, end in zip(found, ends, strict=True)}
    return parts, pairs


def _until_bar(text: str) -> tuple[str, str]:
    place = 0
    while text[place] != "|":
        place += 2 if text[place] == "\\" else 1
    return re.sub(r"\\(.)", r"\1", text[:place]), text[place + 1 :]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text)


def shown(text: str, *, ends: bool = False) -> str:
    """Control characters as they are spelled out."""
    kept = "" if ends else "\n\r"
    return "".join(
        f"\\u{ord(each):04x}"
        if each not in kept and (ord(each) < 32 or 127 <= ord(each) < 160 or each in "\u2028\u2029")
        else each
        for each in text
    )


@given(rows)
def test_what_was_written_is_read_back(row: Row) -> None:
    head, pairs = parse(cef.event(row))
    assert head[:3] == ["CEF:0", "Portcullis", "Portcullis"]
    assert head[4] == shown(row.text("action") or "redacted", ends=True)
    for key, name in (
        ("act", "action"),
        ("reason", "reason"),
        ("suid", "actor_id"),
        ("requestClientApplication", "user_agent"),
        ("cs4", "request_id"),
    ):
        assert pairs.get(key, "") == shown(row.text(name))
    assert pairs["externalId"] == "12"
    assert (pairs["cn1"], pairs["cs5"], pairs["dvcExternalId"]) == ("4", "ab" * 32, ORIGIN)


@given(rows)
def test_an_event_is_one_line(row: Row) -> None:
    assert not set(cef.event(row)) & set(SEPARATORS)
    assert len(cef.event(row).splitlines()) == 1


@given(hostile)
def test_nothing_in_a_value_becomes_a_key(text: str) -> None:
    _, pairs = parse(cef.event(a_row(reason=text or "none", request_id="r1")))
    assert pairs["cs4"] == "r1"
    assert pairs["reason"] == shown(text or "none")
    assert "src" not in pairs


def test_a_line_as_the_guide_has_it() -> None:
    line = cef.event(a_row(action="a|b\\c", reason="x=1|\\ \n", ip="192.0.2.1"))
    assert line.startswith("CEF:0|Portcullis|Portcullis|1|a\\|b\\\\c|a\\|b\\\\c|3|rt=1795286925123 externalId=12 ")
    assert " reason=x\\=1|\\\\ \\n " in line
    assert " src=192.0.2.1 " in line


def test_who_is_not_known_is_anonymous() -> None:
    row = a_row(actor_kind=ANONYMOUS.kind, actor_id=ANONYMOUS.id, outcome="failure", ip="192.0.2.1")
    _, pairs = parse(cef.event(row))
    assert (pairs["spriv"], pairs["suid"], pairs["src"]) == ("anonymous", "anonymous", "192.0.2.1")


def test_an_address_of_six_parts_has_a_key_of_its_own() -> None:
    _, pairs = parse(cef.event(a_row(ip="2001:db8::1")))
    assert pairs["c6a2"] == "2001:db8::1"
    assert "src" not in pairs
