"""US Social Security numbers. They have no check digit: what counts are the numbers never given out, form and words."""

import re

from gateway.guards.base import Around, Rule
from gateway.guards.personal_data.words import GUARD_NAME, SIX_FIGURES, beside

_GAP = r"(?: ?[\-./_] ?\n?| |\n)\n?"
_NOT_GIVEN = r"(?<!000)(?<!666)"
_BEFORE = r"[0-8](?<![\w+].)(?<![0-9][.\-/,].)(?!\n[0-9]\n)"  # not where each line has one digit
_APART = (
    rf"{_BEFORE}(?<![0-9] .)(?:\n?[0-9]){{2}}{_NOT_GIVEN}{_GAP}(?!00)[0-9]\n?[0-9]{_GAP}(?!0000)[0-9](?:\n?[0-9]){{3}}"
    r"(?!\w|[.\-/]\w| [0-9])"
)
_WHOLE = rf"{_BEFORE}(?:\n?[0-9]){{2}}{_NOT_GIVEN}(?:\n?[0-9]){{6}}(?!\w|[.,\-/][0-9])"
_CLASSIC = re.compile(r"[0-9]{3}([\-.])[0-9]{2}\1[0-9]{4}")
_SPACED = re.compile(r"[0-9]{3}([ \n])[0-9]{2}\1[0-9]{4}")

_WORDS = (
    r"ssn?s? | ssn\w* | soc | social security | social sec | social | taxpayer | tin | itin | ss#? | s\.s\.n?\.?",
    r"seguro social | sécurité sociale | sozialversicherung\w* | w-?2",
)
_is_ssn = beside(_WORDS)
_is_other = beside(
    (
        "order | part | model | sku | invoice | serial | case | ticket | version | phone | fax | tel",
        "suite | apt | unit | room | box | flat",
    ),
    within=20,
)


def _apart(text: str, around: Around) -> float:
    """With the hyphens that it is written with hardly anything else looks like it."""
    if _is_ssn(around):
        return 1.0
    if _is_other(around):
        return 0.3
    return 0.85 if _CLASSIC.fullmatch(text.replace("\n", "")) else 0.5 if _SPACED.fullmatch(text) else 0.4


def _whole(text: str, around: Around) -> float:
    return 0.9 if _is_ssn(around) and not _is_other(around) else 0.0


def rules() -> list[Rule]:
    def rule(scan: str, pattern: str, check: object, first: int) -> Rule:
        return Rule(guard=GUARD_NAME, name="US_SSN", scan=scan, pattern=pattern, check=check, first=first, shows=4)  # type: ignore[arg-type]

    return [
        rule(SIX_FIGURES, _APART, _apart, 55),
        rule(SIX_FIGURES, _WHOLE, _whole, 54),
    ]
