"""Guard `markup`: what runs where a text is put into a page or a query as it is: scripts, handlers, SQL. Pure.

For tenants whose answers go straight into pages. It does not make such pages safe: what a page shows it must escape.
"""

import re
from collections.abc import Iterator, Sequence

from gateway.guards.base import Action, Around, Guard, Guarding, Rule, Terms

NAME = "markup"

_TAGS = (
    "script|iframe|frame|frameset|object|embed|applet|meta|link|base|form|svg|math|style|template|portal|noscript|xml|"
    "layer|bgsound|import"
)
_ACTIVE = "javascript|vbscript|livescript|jscript|mocha"
_SQL = (
    r"\bunion(?:\s|/\*.{0,7}\*/){1,4}(?:all\s{1,4})?select\b",
    r"['\"`]\s{0,4}\)?\s{0,3}(?:or|and|\|\||&&)\s{1,4}\(?['\"`]?(?P<one>\w{1,16})['\"`]?\s{0,4}(?:=|like)\s{0,4}['\"`]?(?P=one)\b",
    r"\b(?:or|and)\s{1,4}1\s{0,2}=\s{0,2}1\b",
    r"['\"`)]?;\s{0,4}(?:drop|truncate|alter|create)\s{1,4}(?:table|database|schema|user|view|index)\b",
    r";\s{0,4}(?:delete\s{1,4}from|insert\s{1,4}into|update\s{1,4}\w{1,30}\s{1,4}set|exec(?:ute)?\s|shutdown)\b",
    r"\b(?:xp_cmdshell|sp_executesql|load_file\s{0,2}\(|into\s{1,4}(?:out|dump)file|information_schema\.\w|waitfor\s{1,4}delay)",
    r"\b(?:sleep|benchmark|pg_sleep|dbms_pipe\.receive_message)\s{0,2}\(\s{0,2}['\"]?\d",
)
_TAG_OPEN = re.compile(r"<[a-z][^<>]*$")


def rules(guarding: Guarding | None = None, terms: Terms | None = None) -> Sequence[Rule]:
    named = terms.rules if terms is not None else frozenset()
    return [rule for rule in _all() if not named or rule.name in named]


def _all() -> Iterator[Rule]:
    yield _rule("script_tag", rf"<\s{{0,3}}/?\s{{0,3}}(?:{_TAGS})(?![a-z0-9-])")
    yield _rule("event_handler", r"(?<![a-z0-9_-])on[a-z]{3,24}\s{0,4}=", check=_is_in_tag)
    yield _rule("script_url", rf"(?<![a-z0-9])(?:{_spaced(_ACTIVE)})\s{{0,2}}:(?!//|\s)")
    yield _rule(
        "script_url", r"(?<![a-z0-9])data\s{0,2}:\s{0,2}(?:text/html|image/svg\+xml|text/xml|application/x(?:html\+)?)"
    )
    yield _rule("script_style", r"(?:expression\s{0,2}\(|-moz-binding\s{0,2}:|behavior\s{0,2}:\s{0,2}url)")
    yield _rule(
        "template_code",
        r"\$\{\s{0,2}jndi:|\{\{\s{0,2}(?:\d{1,6}\s{0,2}\*|constructor|self\.|config\.|request\.)|<%[=@!]?\s|<\?php",
    )
    for form in _SQL:
        yield _rule("sql", form)


def _rule(name: str, form: str, **more: object) -> Rule:
    return Rule(guard=NAME, name=name, scan=f"(?i){_scanned(form)}", pattern=f"(?i){form}", first=5, **more)  # type: ignore[arg-type]


def _scanned(form: str) -> str:
    """Without looking around and referring back, which the one pass cannot."""
    form = re.sub(r"\(\?<?!(?:\[[^\]]*\]|[^\[\])])*\)", "", form)
    return re.sub(r"\(\?P=\w+\)", r"\\w", form)


def _spaced(words: str) -> str:
    """With the tabs and ends of lines that browsers pass over in a scheme."""
    return "|".join(r"[\t\r\n]{0,2}".join(word) for word in words.split("|"))


def _is_in_tag(value: str, around: Around) -> float:
    """Prose has `on… =` too, but not within a tag."""
    return 0.9 if _TAG_OPEN.search(around.before) else 0.0


GUARD = Guard(
    name=NAME,
    title="Markup",
    help=(
        "Script tags, event handlers, script URLs, template code and SQL fragments, for answers that go into pages or "
        "queries as they are. Answers that explain such code are found as well."
    ),
    actions=tuple(Action),
    rules=rules,
    rule_names=tuple(dict.fromkeys(rule.name for rule in _all())),
)
