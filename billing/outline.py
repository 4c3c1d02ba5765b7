"""A statement of SQL without what it is about: literals and comments may be content. Pure."""

import re

MOST_CHARS = 80

# The server cuts long statements, maybe within a string. Comments within comments hide all that follows.
_HIDDEN = re.compile(
    r"""
      --[^\n]*
    | /\*(?:(?!\*/).)*/\*.*
    | /\*.*?(?:\*/|\Z)
    | \b[Ee]'(?:[^'\\]|\'\'|\\.)*(?:'|\Z)
    | (?:\b[NnBbXx]|\b[Uu]&)?'(?:[^']|'')*(?:'|\Z)
    | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
    | (?<![\w$])\d[\w.]*
    """,
    re.VERBOSE | re.DOTALL,
)


def outline(statement: str) -> str:
    """The first words of `statement`, with `?` for every literal and nothing of its comments."""
    shown = _HIDDEN.sub(lambda found: " " if found[0].startswith(("--", "/*")) else "?", statement)
    shown = " ".join(shown.split())
    return shown if len(shown) <= MOST_CHARS else shown[: MOST_CHARS - 1] + "…"
