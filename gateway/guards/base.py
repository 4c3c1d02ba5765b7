"""The vocabulary of guards: what they look at, what they find, and what policy does about it. Pure.

Two kinds. A *finder* finds spans of text by rules (an address, a key, a word of a dictionary), in whole texts and in
streams alike; what it finds can be redacted. A *judge* sees all texts of a request or of an answer at once, and says
whether something is wrong with it; what it finds can be blocked or flagged, but not cut out.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Protocol

from msgspec import Struct

BUDGET_MS = 800
"""Milliseconds of processor time, unless a policy says otherwise: whatever a text is made of, it is decided within a
second."""

CORE_MOST = 64
"""Characters in which a rule must have decided: of a stream, no more are held back."""

CONTEXT_MOST = 64
"""Characters before a match that its check may look at."""

LINE_MOST = 500
"""Characters of one line of a setting."""


class Direction(StrEnum):
    PROMPT = "prompt"
    ANSWER = "answer"


class Role(StrEnum):
    """Who a text is from. All but what the application itself says is untrusted."""

    SYSTEM = "system"  # and developer
    USER = "user"
    ASSISTANT = "assistant"  # earlier answers in a prompt, and the answer itself
    TOOL = "tool"  # results of tools and functions, and what was retrieved
    DEFINITION = "definition"  # tools, functions, schemas, and fields that nobody knows
    METADATA = "metadata"


class Action(IntEnum):
    """What is done about a finding; of several the highest."""

    OFF = 0
    LOG = 1
    FLAG = 2  # for review
    REDACT = 3
    BLOCK = 4


class OnError(StrEnum):
    """What happens when a guard fails, or has no time left."""

    BLOCK = "block"
    ALLOW = "allow"


class Replacement(StrEnum):
    """What stands for a finding that is redacted."""

    LABEL = "label"  # [EMAIL]
    MASK = "mask"  # ****************, or of a card ************1111
    HASH = "hash"  # [EMAIL:3f9a…], the same for the same value of the same tenant
    PLACEHOLDER = "placeholder"  # ⟦EMAIL·k7Q2⟧, from which the value can be restored


class Text(Struct, frozen=True, gc=False):
    """One text of a request or of an answer. `place`: where it stands, as `messages[2].content[0].text`."""

    text: str
    role: Role
    place: str


class Finding(Struct, frozen=True, gc=False):
    """What a guard found: characters `start` to `end` of the text at `place`; 0 to 0 where it is about the whole of it.

    `rule` names the kind in the field's words, never what was matched (`EMAIL`, `aws_access_key`, `override`).
    `score`: how sure the guard is, 0 to 1. `shows`: as in `Rule`.
    """

    guard: str
    rule: str
    start: int = 0
    end: int = 0
    score: float = 1.0
    place: str = ""
    shows: int = 0


class Around(Struct, frozen=True, gc=False):
    """What stands around a match. `before`: at most `CONTEXT_MOST` characters, normalised, in lower case.

    `written`: the match as it stood before it was folded; empty where nothing was, or where it was encoded. `encoded`:
    whether it stood in base64 or the like, so that what stands behind it is not seen.
    """

    before: str
    role: Role
    direction: Direction
    written: str = ""
    encoded: bool = False


class Rule(Struct, frozen=True, kw_only=True):
    """How one kind of thing is found.

    Args:
        guard, name: as in `Finding`.
        scan: an expression for the one pass over all text (Hyperscan's syntax, on the normalised text): the rule is
            tried only where it occurs, and a match counts only where it occurs from `CONTEXT_MOST` characters before
            it to `CORE_MOST` and one behind its beginning. What is not ASCII even when normalised is `?` to it. It may
            find too much, never too little. Not case-sensitive only by `(?i)`.
        beside: whether `scan` is for what stands before a match, and so also looked for before an encoded run.
        pattern: the exact expression, for Python's `re`, on the normalised text. Its match is at most `CORE_MOST`
            characters, begins at a boundary that the one character before it decides, and takes linear time.
        check: how sure it is (0 to 1, 0: it is none) of the text that matched; checksums and context words go here.
        tail: characters by which a match goes on beyond its core, as those of a long token; a class for `re`, or empty.
        until: with which the tail ends where it occurs in it (and is part of the match), as `-----END`; or empty.
        first: of rules that match at the same place the one with the highest `first` wins, then the longest match.
        shows: how many characters at the end a mask leaves readable.
    """

    guard: str
    name: str
    scan: str
    pattern: str
    check: Callable[[str, Around], float] | None = None
    tail: str = ""
    until: str = ""
    first: int = 0
    shows: int = 0
    beside: bool = False


class Finder(Protocol):
    """What no expression can say, as a dictionary of millions of words; beside the rules, and held to the same bounds.

    Its attributes mean what they do in `Rule`. It is asked on the normalised text.
    """

    @property
    def guard(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def tail(self) -> str: ...

    @property
    def first(self) -> int: ...

    @property
    def shows(self) -> int: ...

    def search(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """The first match that begins at `start` or later and before `end`, and of those the longest: where it begins
        and ends. Whether one begins at a place depends on the character before it and on `CORE_MOST` from it."""


class Judged(Struct, frozen=True, kw_only=True):
    """What a judge looks at: all texts of one direction, and what it may need to know beside them."""

    texts: Sequence[Text]
    direction: Direction
    settings: Mapping[str, Any] = {}
    canaries: Sequence[str] = ()
    system: Sequence[str] = ()  # what the application told the model, to find it in answers
    request: Mapping[str, Any] = {}  # the body of the request, whichever direction: for judges of its shape


Judge = Callable[[Judged], Sequence[Finding]]
"""Pure, and linear in the length of the texts."""

QUIET_MOST = 1024
"""Characters of all texts of a request or an answer that are asked about at a glance: see `Quiet`."""

Quiet = Callable[[Judged], bool]
"""Whether a judge has nothing to say of texts that are short and in ASCII: surely. It takes next to no time."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a policy says of one guard. `directions`, `roles`: where it looks; no roles: everywhere.

    `rules`: names of those of its rules that count; none: all. `settings`: what only this guard knows.
    """

    guard: str
    action: Action
    directions: frozenset[Direction] = frozenset(Direction)
    roles: frozenset[Role] = frozenset()
    rules: frozenset[str] = frozenset()
    threshold: float = 0.5
    on_error: OnError = OnError.BLOCK
    replacement: Replacement = Replacement.LABEL
    settings: Mapping[str, Any] = {}

    def looks_at(self, role: Role, direction: Direction) -> bool:
        return direction in self.directions and (not self.roles or role in self.roles)


class Guarding(Struct, frozen=True, kw_only=True, dict=True):
    """The guard policy that holds for a key, compiled; part of its `Principal`.

    `key`: what hashes, placeholders and canaries are derived from; of the tenant alone. `budget_ms`: processor time of
    all guards together, per request and direction. `restore`: whether placeholders are restored in the answer.
    `dictionaries`, `patterns`: the tenant's own, as their guards read them.
    """

    policy_id: int
    terms: tuple[Terms, ...]
    budget_ms: int = BUDGET_MS
    key: bytes = b""
    restore: bool = True
    placeholder_ttl_s: int = 0
    dictionaries: tuple["WordList", ...] = ()
    patterns: tuple["Custom", ...] = ()

    def of(self, guard: str) -> Terms | None:
        """What it says of a guard that does something."""
        return self._acting.get(guard)

    @cached_property
    def _acting(self) -> Mapping[str, Terms]:
        return {terms.guard: terms for terms in reversed(self.terms) if terms.action}


class WordList(Struct, frozen=True, kw_only=True, gc=False):
    """A tenant's dictionary. `compiled`: see `guards/dictionaries.py`; two of one `version` are the same."""

    dictionary_id: int
    version: int
    name: str
    prefixes: bool
    compiled: bytes


class Custom(Struct, frozen=True, kw_only=True, gc=False):
    """A pattern of a tenant, checked by `guards/custom.py` when it was saved."""

    name: str
    expression: str
    score: float = 1.0


class Kind(StrEnum):
    """What a setting holds, as JSON."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"
    FLAG = "flag"
    CHOICE = "choice"  # one of `choices`
    CHOICES = "choices"  # a list of them
    LINES = "lines"  # a list of texts
    OBJECT = "object"  # JSON, as a schema


class Setting(Struct, frozen=True, kw_only=True):
    """One key of `Terms.settings`: forms, the API and `guards/settings.py` are made from this.

    `least`, `most`: of a number its bounds; of a text its characters; of lines how many, and a line has `LINE_MOST`.
    `check`: raises ValueError with words for whoever set it.
    """

    name: str
    title: str
    help: str = ""
    kind: Kind = Kind.TEXT
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    check: Callable[[Any], None] | None = None


class Guard(Struct, frozen=True, kw_only=True):
    """A guard as the registry knows it.

    Args:
        name: unique, as policies and records name it.
        title, help: for administrators.
        actions: what policy may choose for it.
        directions: where it makes sense.
        rules: makes the rules of a finder, of those of its terms and of what the policy brings with it.
        finders: makes what it finds with beside rules.
        live: makes finders for one request, of its canaries and of what its application told the model.
        judge: of a judge.
        quiet: of a judge, and of `live`: when neither need be asked. Without it they always are.
        prepare: compiles what takes longer than a request should wait; called in a thread before the first one.
        rule_names: what `Terms.rules` may name.
        settings: what `Terms.settings` may hold.
        kinds: the name of the one of its settings that says what it looks for, where it must know before it looks;
            `Terms.rules` then only leaves out some of that.
        needs: raises ValueError, saying what to do, where the guard cannot run in this installation as it is set.
    """

    name: str
    title: str
    help: str
    actions: tuple[Action, ...]
    directions: frozenset[Direction] = frozenset(Direction)
    rules: Callable[["Guarding", Terms], Sequence[Rule]] | None = None
    finders: Callable[["Guarding", Terms], Sequence[Finder]] | None = None
    live: Callable[[Judged], Sequence[Finder]] | None = None
    judge: Judge | None = None
    quiet: Quiet | None = None
    prepare: Callable[[], None] | None = None
    rule_names: tuple[str, ...] = ()
    default: Action = Action.OFF
    settings: tuple[Setting, ...] = ()
    kinds: str = ""
    needs: Callable[[Mapping[str, Any]], None] | None = None
