"""Passwords, tokens and keys beside the words for them: assigned, as an option, in a tag, or in a sentence. Pure.

What is found is the value alone, so that what it is for stays readable. Where secrets are not of a known form, this is
where precision is won: `values.py` says which values only stand for one.
"""

from collections.abc import Iterator

from gateway.guards.base import Around, Rule
from gateway.guards.secrets import values, words
from gateway.guards.secrets.letters import oddness
from gateway.guards.secrets.words import Sort

_CHOSEN = "pass|sword|pwd|pword|contrase|senha|kennwort|wachtwoord|parola|heslo|has.o|l.senord|mdp|salasana|adgangskode"
_CHOSEN_SHORT = "pw|psw|p/w|pin|identified"
_MADE = "secret|token|[a-z0-9_ .-]key|credential|creds|authoriz|authentic|bearer|cookie|signature|session"
_MADE_SHORT = "key|auth|jwt|sas|sig|salt|pat|hmac|otp|access|api"
_OTHER_SCRIPTS = r"\?\?"
"""In the one pass a question mark stands for what is not ASCII."""

_TO_ASSIGN = (
    r"[\w.-]{0,30}[\\\"'`\])*}\s]{0,6}(?:[=:>(|]|\?\?|or\s|\s-\s|[\"'`]\s?,\s{0,3}[\\\"'`]|value[\"'\s]{0,3}[=:])"
    r"[=:>(|\s\"'`\\-]{0,8}[^\s\"'`]{3}"
)
_TO_SAY = r"[^\n]{0,60}(?:[a-z][0-9]|[0-9][a-z]|[@#$!%^&*][a-z0-9])"
"""For the one pass: what may stand between such a word and a value."""

_ENDS = r"\s\"'`<>,;()\[\]{}|\\"
"""What ends a value without quotes: the backslash too, for texts are found escaped in JSON. A full stop or a colon does
where nothing follows it."""

_QUOTE = r"[\"'`]"
_IN_QUOTES = r"(?:[^\s\"'`<>\\]|\\(?![\"'`]))"
QUOTED = (
    rf"(?<={_QUOTE})(?:(?<=[=:>(,|?r\\]{_QUOTE})|(?<=[=:>(,|?r-]\s{_QUOTE})|(?<=[=:>,yds]\s\s{_QUOTE})|(?<=[dynst]\s{_QUOTE})|(?<={_QUOTE}{{2}}))"
    rf"{_IN_QUOTES}{{4,60}}+(?![\s<>])"
)
"""Where quotes open a value: behind what assigns, calls or separates, or behind the end of a word for secrets."""


def _inner(ends: str) -> str:
    return rf"(?:[^{ends}.:]|[.:](?=[^{ends}.:]))"


def _unquoted(ends: str) -> str:
    begins = r"(?<=[=:>(\s])(?:(?<=[=:>])|(?<=[=:>-]\s)|(?<=[=:]\s\s)|(?<=\()(?=[^\s)]{0,30}[0-9]))"
    return rf"{begins}{_inner(ends)}{{4,60}}+(?![(\[{{])"


def _in_sentence(ends: str) -> str:
    return rf"(?<![^\s\"'`(/=])(?=[^\s]{{0,40}}?[0-9@#$!%^&*]){_inner(ends)}{{5,60}}+(?![(\[{{])"


LEAST_TOKEN = 8
LEAST_WEAK = 16


def rules(guard: str) -> Iterator[Rule]:
    yield from _rules(guard, "password", (_CHOSEN, _CHOSEN_SHORT), {Sort.CHOSEN}, _ENDS)
    yield from _rules(guard, "secret", (_MADE, _MADE_SHORT), {Sort.MADE, Sort.WEAK, Sort.NEAR}, _ENDS + "&")


def _rules(guard: str, name: str, written: tuple[str, str], sorts: set[Sort], ends: str) -> Iterator[Rule]:
    near = rf"(?i)(?:{written[0]}|(?:^|[^a-z])(?:{written[1]})|{_OTHER_SCRIPTS})"
    assigned, said = near + _TO_ASSIGN, near + _TO_SAY
    forms = ((QUOTED, assigned, _Quoted), (_unquoted(ends), assigned, _Bare), (_in_sentence(ends), said, _Said))
    for first, (pattern, scan, check) in zip((5, 4, 3), forms, strict=True):
        yield Rule(
            guard=guard, name=name, scan=scan, pattern=pattern, check=check(sorts), tail=f"[^{ends}]", first=first
        )


class _Checked:
    """A check for the words of some sorts."""

    def __init__(self, sorts: set[Sort]) -> None:
        self._sorts = sorts

    def __call__(self, value: str, around: Around) -> float:
        sort = self.sort(value, around.before)
        if sort is None or sort not in self._sorts or not values.is_written(value) or values.stands_for_one(value):
            return 0.0
        return self.score(value, sort)

    def sort(self, value: str, before: str) -> Sort | None:
        sort = words.assigned(before)
        if sort is None and values.is_generated(value, least=LEAST_WEAK, odd=0.3) and words.amid(before):
            return Sort.WEAK
        return sort

    def score(self, value: str, sort: Sort) -> float:
        raise NotImplementedError


class _Quoted(_Checked):
    """Text in a program: even a plain word may be a password, if nothing speaks against it."""

    def score(self, value: str, sort: Sort) -> float:
        if sort is not Sort.CHOSEN:
            return _made(value, sort)
        if values.is_worded(value):
            return 0.5 if len(value) >= 6 and value.isalpha() and value.islower() else 0.0
        return 0.8 if len(value) >= 5 else 0.5


class _Bare(_Checked):
    """Without quotes it may also be code, or a word of a sentence."""

    def score(self, value: str, sort: Sort) -> float:
        if sort is not Sort.CHOSEN:
            return 0.0 if values.is_figures(value) else _made(value, sort)
        if values.is_worded(value) or (values.is_figures(value) and len(value) < 6):
            return 0.0
        return 0.75


class _Said(_Checked):
    """In a sentence or after an option it must not read as a word, a number or a name."""

    def sort(self, value: str, before: str) -> Sort | None:
        sort = words.optional(before) or words.said(before)
        if sort is None and values.is_generated(value, least=20, odd=0.35) and words.mentioned(before):
            return Sort.NEAR
        return sort

    def score(self, value: str, sort: Sort) -> float:
        if values.is_worded(value) or values.is_figures(value) or values.classes(value) < 2:
            return 0.0
        if sort is Sort.NEAR:
            return 0.6 if values.classes(value) >= 3 else 0.0
        if sort is Sort.CHOSEN:
            return 0.65 if len(value) >= 6 and oddness(value) >= 0.15 else 0.0
        return _made(value, sort, odd=0.25) if len(value) >= 12 else 0.0


def _made(value: str, sort: Sort, *, odd: float = 0.2) -> float:
    if sort is Sort.WEAK:
        return 0.6 if values.is_generated(value, least=LEAST_WEAK, odd=0.3) else 0.0
    return 0.8 if values.is_generated(value, least=LEAST_TOKEN, odd=odd) else 0.0
