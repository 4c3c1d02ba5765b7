"""Statements without their literals."""

import pytest

from billing.outline import MOST_CHARS, outline


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM t WHERE a = 'x' AND b = 12.5e3", "SELECT * FROM t WHERE a = ? AND b = ?"),
        ("SELECT 'it''s secret', E'a\\'secret'", "SELECT ?, ?"),
        ("SELECT $$a secret$$, $tag$ a $$ secret $tag$", "SELECT ?, ?"),
        ("SELECT 1 -- a secret\n, 2 /* a secret */ FROM t1", "SELECT ? , ? FROM t1"),
        ("INSERT INTO t VALUES ('cut in the midst of a sec", "INSERT INTO t VALUES (?"),
        ("SELECT 'ends with a \\', 'secret'", "SELECT ?, ?"),
        ("SELECT a /* one /* two */ secret */", "SELECT a"),
        ("SELECT $1, $2", "SELECT $1, $2"),
        ("", ""),
    ],
    ids=["strings and numbers", "escapes", "dollars", "comments", "cut", "backslash", "nested", "parameters", "none"],
)
def test_literals_and_comments_are_hidden(statement: str, shown: str) -> None:
    assert outline(statement) == shown


def test_only_the_beginning_is_shown() -> None:
    assert len(outline("SELECT a, " * 100)) == MOST_CHARS
