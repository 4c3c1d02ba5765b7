"""Whether a value can be a secret, or only stands for one: placeholders, references, types, masks, words. Pure."""

import re

from gateway.guards.secrets.letters import is_in_order, oddness

ODD_IN_NAMES = 0.25

_SUCH_WORDS = """
example examples sample placeholder dummy fake mock stub todo tbd fixme changeme change changeit replace replaceme
insert enter your yours my here put add fill foo bar baz qux foobar test tests testing tester demo none null nil
undefined unknown empty blank redacted removed hidden masked secret secrets password passwd passwort passphrase pwd
pass token tokens key keys apikey accesskey secretkey privatekey credential credentials username user login string
value values text true false yes no required optional default notset unset invalid valid missing wrong incorrect
correct expired lorem ipsum abc xyz abcd abcdef qwerty deadbeef cafebabe xxx xxxx yyy zzz contrasena contraseña senha
kennwort wachtwoord parola some any this that the new old current confirm confirmation repeat forgot forgotten reset
bearer basic auth authorization oauth anonymous integer number boolean bool int str object array function return const
var let def class self env environment config settings variable param parameter argument field input type name label
title header body method session cookie csrf state nonce code id uuid hash
"""
"""What a value is made of when it is none."""

_STANDS_FOR = frozenset(_SUCH_WORDS.split())
_NEVER_PARTS = """
example placeholder changeme change_me your_ redact dummy insert_ replace_ replaceme xxxx ** ... lorem foobar not_a_
not_real deadbeef sample
"""
_ALWAYS = tuple(_NEVER_PARTS.split())
"""Parts that no secret has, in small letters, with _ for -."""

_REFERENCE = re.compile(
    r"""
      \$\(.* | \$?\{.* | \{\{.* | <.* | %\(?\w*\)?s? | \[.*\]? | \#\{.* | .*\$\{.* | .*\{\{.* | .*\{\w+\}.*  # templates
    | \$[A-Za-z_][\w.:>-]* | %[A-Za-z_]\w*%? | @[A-Za-z_][\w./-]*          # variables of shells and annotations
    | (?:[A-Za-z_]\w*(?:\.|::|->|\?\.))+[A-Za-z_]\w*\(.*                       # calls of methods
    | \w*\(.*                                                                 # calls
    | (?:\.{0,2}|~|[A-Za-z]:)[/\\][\w.~-]*[/\\].* | (?:\.{1,2}|~)[/\\].* | /[a-z][\w.-]+  # paths
    | [A-Za-z][A-Za-z+.-]{1,15}:// .* | arn:.* | (?:vault|secret|secrets|env|ssm|kms|op|ref|file):.* # addresses
    | [\w.-]+\.(?:json|ya?ml|txt|py|js|ts|php|html?|pem|key|crt|cfg|conf|ini|env|toml|xml|java|go|rb|sh|md
        |com|org|net|io)
    | ENC[\[(].* | !\w+
    | ⟦[A-Z0-9_]{1,24}[·.][a-z0-9]{12}⟧                                       # the gateway's own placeholders
    """,
    re.VERBOSE | re.DOTALL,
)
_SEEN = re.compile(r"[!-~\w]+")
_IN_A_ROW = re.compile(r"(.)\1{4}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")
_UPPER_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_FIGURES = re.compile(r"[\d.,:/+-]+[A-Za-z%]{0,3}|v?\d+(?:\.\d+)+[\w.-]{0,8}")


_ATTRIBUTE = re.compile(r"(?:[A-Za-z_]\w*(?:\.|::|->|\?\.))+[A-Za-z_]\w*")


def stands_for_one(value: str) -> bool:
    """Whether it is written where a secret would be: `<token>`, `${TOKEN}`, `changeme`, `****`, `xxxx-xxxx`."""
    low = value.lower().replace("-", "_")
    return bool(
        is_blank(value)
        or any(part in low for part in _ALWAYS)
        or is_in_order(value)
        or _REFERENCE.fullmatch(value)
        or (_ATTRIBUTE.fullmatch(value) and oddness(value) < ODD_IN_NAMES)
        or (_UPPER_NAME.fullmatch(value) and oddness(value) < ODD_IN_NAMES)
        or _is_of_such_words(value)
    )


def is_written(value: str) -> bool:
    """Whether people or programs write it as text: what was taken for encoded, and was none, decodes to signs."""
    return _SEEN.fullmatch(value) is not None


def is_blank(value: str) -> bool:
    """Whether it has too few characters of its own to be anything: a mask, or filled up."""
    few = min(3 + len(value) // 8, 8)
    return len(set(value)) < few or _IN_A_ROW.search(value) is not None


def _is_of_such_words(value: str) -> bool:
    """Whether words that stand for something make up most of its letters: `my-secret-token1`, `userPassword`."""
    letters = such = 0
    for word in _PART.findall(value):
        letters += len(word)
        such += len(word) if word.lower() in _STANDS_FOR else 0
    return such > 0 and 2 * such >= letters and letters * 2 >= len(value)


def is_figures(value: str) -> bool:
    """A number, date, time, version or amount."""
    return _FIGURES.fullmatch(value) is not None


def is_worded(value: str) -> bool:
    """Whether it reads as words or a name in a program: no digit among its letters, and pairs that words have."""
    return not _mixes(value) and (oddness(value) < 0.3 or not value.isascii())


def _mixes(value: str) -> bool:
    """Letters with digits or with signs other than those that join words."""
    has_letter = any(each.isalpha() for each in value)
    return has_letter and any(not each.isalpha() and each not in "_-. " for each in value)


def classes(value: str) -> int:
    """Of small letters, capitals, digits and signs: how many kinds."""
    return (
        any(each.islower() for each in value)
        + any(each.isupper() for each in value)
        + any(each.isdigit() for each in value)
        + any(not each.isalnum() for each in value)
    )


def is_generated(value: str, *, least: int, odd: float) -> bool:
    """Whether it looks made by a machine: long enough, letters and digits, and unlike words."""
    if len(value) < least:
        return False
    digits = sum(each.isdigit() for each in value)
    letters = sum(each.isalpha() for each in value)
    return letters >= 2 and (digits > 0 or letters >= 16 or classes(value) >= 3) and oddness(value) >= odd
