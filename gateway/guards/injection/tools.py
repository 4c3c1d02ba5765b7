"""Calls of tools in answers against those that an application may have called."""

import re
from collections.abc import Iterator

from gateway.guards.base import Finding, Judged

NAME = "injection"
RULE = "tool_call"

_CALLED = re.compile(r"(?:^|\.)(?:tool_calls\[\d+\]\.(?:function|custom)|function_call)\.name$")


def foreign_calls(judged: Judged) -> Iterator[Finding]:
    """One for each call of a tool that `settings["tools"]` does not name. An entry may end with `*`; none: all may."""
    allowed = judged.settings.get("tools") or ()
    if not allowed:
        return
    for text in judged.texts:
        if _CALLED.search(text.place) and not _is_allowed(text.text, allowed):
            yield Finding(NAME, RULE, place=text.place)


def _is_allowed(name: str, allowed: list[str]) -> bool:
    return any(name.startswith(entry[:-1]) if entry.endswith("*") else name == entry for entry in allowed)
