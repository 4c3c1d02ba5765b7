"""What runs in a page or a query is found; what only reads like it is left."""

import pytest

from tests.unit.gateway.guards.tenants_cast import an_engine_of, found

ENGINE = an_engine_of("markup")

FOUND = {
    "script": ("<script>alert(1)</script>", "script_tag"),
    "script with a space": ("< script src=x>", "script_tag"),
    "frame": ('<iframe src="x">', "script_tag"),
    "drawing": ("<svg/onload=alert(1)>", "script_tag"),
    "handler": ("<img src=x onerror=alert(1)>", "event_handler"),
    "handler after a slash": ("<img/src=x/onerror = alert(1)>", "event_handler"),
    "script address": ("javascript:alert(1)", "script_url"),
    "with a tab": ("java\tscript:alert(1)", "script_url"),
    "as entities": ("&#106;avascript:alert(1)", "script_url"),
    "page as data": ("data:text/html,<b>", "script_url"),
    "look-up": ("${jndi:ldap://x}", "template_code"),
    "template": ("{{7*7}}", "template_code"),
    "union": ("1 UNION ALL SELECT a FROM b", "sql"),
    "union with remarks": ("1 union/**/select a", "sql"),
    "always true": ("x' OR 'a'='a", "sql"),
    "another statement": ("x'); DROP TABLE students;--", "sql"),
    "waiting": ("1; WAITFOR DELAY '0:0:5'", "sql"),
    "sleeping": ("1 and sleep(5)", "sql"),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_runs_is_found(what: str) -> None:
    text, rule = FOUND[what]
    assert rule in [each for each, _ in found(ENGINE, text)]


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "<b>bold</b> <p>text</p> <a href='/x'>x</a>",
        "set one = 1, on the other hand onset = 2",
        "The union will select a speaker.",
        "I learnt JavaScript: it was fun",
        "SELECT name FROM users WHERE id = 4",
        "metadata and scripts; formal basement",
        "drop the table, please",
    ],
)
def test_what_reads_like_it_is_left(text: str) -> None:
    assert found(ENGINE, text) == []


def test_rules_can_be_chosen() -> None:
    engine = an_engine_of("markup", rules=frozenset({"sql"}))
    assert [rule for rule, _ in found(engine, "<script> 1 UNION SELECT 2")] == ["sql"]
