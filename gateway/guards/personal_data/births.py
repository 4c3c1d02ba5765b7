"""Dates of birth: dates right beside words for birth. A date alone is nobody's."""

import re

from gateway.guards.base import Around, Rule
from gateway.guards.folding import fold
from gateway.guards.personal_data.words import GUARD_NAME, beside, scan_for

_MONTHS = (
    "jan(?:uary|uar|vier|ury)?|jänner|enero|ene|gennaio|gen|janeiro|januari|stycznia|"
    "feb(?:ruary|ruar|brero|braio|ruari)?|févr?(?:ier)?|fevereiro|fev|lutego|"
    "mar(?:ch|s|zo|ço|ca)?|märz|maart|mrt|"
    "apr(?:il|ile)?|avr(?:il)?|abr(?:il)?|kwietnia|"
    "may|mai|mayo|maggio|mag|maio|mei|maja|maj|"
    "june?|juni|juin|junio|giugno|giu|junho|czerwca|"
    "july?|juli|juil(?:let)?|julio|luglio|lug|julho|lipca|"
    "aug(?:ust|ustus)?|août|agosto|ago|sierpnia|augusti|"
    "sept?(?:ember|embre|iembre|iembro)?|set(?:tembre|embro)?|września|"
    "o[ck]t(?:ober|obre|ubre)?|ott(?:obre)?|out(?:ubro)?|października|"
    "nov(?:ember|embre|iembre|embro)?|listopada|"
    "de[czs](?:ember|embre|iembre|embro)?|dic(?:iembre|embre)?|dez(?:ember|embro)?|déc(?:embre)?|grudnia"
)
_is_month = re.compile(fold(_MONTHS)).fullmatch
_NAME = r"[^\W\d_]{3,11}"
_YEAR = "(?:(?:19|20)[0-9]{2}|'?[0-9]{2})"
_SIGN = r"(?: ?[./\-] ?|\n| )"
_START = r"(?<![\w.\-/].)"
_END = r"(?![\w]|[/\-.][0-9])"
_ORDINAL = r"(?:st|nd|rd|th|er|\.|º)?"
_FIGURES = (
    rf"(?i)[0-9]{_START}(?:"
    rf"(?:(?<=1)9|(?<=2)0)[0-9]{{2}}(?:{_SIGN}[01]?[0-9]{_SIGN}[0-3]?[0-9]|[01][0-9][0-3][0-9])"
    rf"|[0-9]?{_SIGN}[0-9]{{1,2}}{_SIGN}{_YEAR}"
    rf"|[0-9]?{_ORDINAL},? ?(?:of |de |d')?{_NAME}\.?,?[ \-/](?:de |del )?{_YEAR}"
    rf"|[0-9]{{3}} ?[年년] ?[01]?[0-9] ?[月월] ?[0-3]?[0-9] ?[日일]?){_END}"
)
_MONTH_FIRST = rf"[A-Za-z]{_START}[^\W\d_]{{2,10}}\.?[ \-][0-3]?[0-9]{_ORDINAL},?[ \-]{_YEAR}{_END}"
_NUMBERS = re.compile(r"[0-9]+")
_NAMES = re.compile(r"[^\W\d_]+")
_AMID = frozenset({"st", "nd", "rd", "th", "er", "of", "de", "del", "d", "年", "月", "日", "년", "월", "일"})

_WORDS = (
    r"born | birth ?(?:day|date)?s? | b-?day | d\.?o\.?b\.? | date[_ ]of[_ ]birth | birth_?date | naissance | n[ée]e",
    r"né le | né\(e\) | anniversaire | geb(?:oren|urtsdatum|urtstag|\.)? | geboorte\w* | naci(?:d[oa]|ó|miento)",
    r"cumpleaños | nato(?: il| a) | nata(?: il| a) | nascita | nascid[oa] | nasceu | nascimento | urodz\w* | ur\.",
    r"född | født | føds\w* | födel\w* | fødd | syntyn\w* | syntymä\w* | naroz\w* | narod\w* | született | születés\w*",
    r"născut\w* | nașter\w* | doğum\w* | роди\w* | рожд\w* | народ\w* | γενν\w* | lahir",
    "生年月日 | 生まれ | 出生 | 生日 | 생년월일 | 생일",
)
_is_birth = beside(_WORDS, within=40)
_is_other = re.compile(
    r"(?:died|deceased|gestorben|†|married|wed|verstorben|décédé|hired|joined)\W*(?:on|in|am|le)?\W*$"
).search


def _score(text: str, around: Around) -> float:
    """Other words between the one for birth and this date end its reach: `born 1950, died 1999-01-01`."""
    names = [name for name in _NAMES.findall(text.lower()) if name not in _AMID]
    if any(not _is_month(name) for name in names) or not all(map(int, _NUMBERS.findall(text)[:2])):
        return 0.0
    return 0.9 if _is_birth(around) and not _is_other(around.before) else 0.0


def rules() -> list[Rule]:
    return [
        Rule(
            guard=GUARD_NAME,
            name="DATE_OF_BIRTH",
            scan=scan_for(_WORDS),
            pattern=pattern,
            check=_score,
            first=30,
            beside=True,
        )
        for pattern in (_FIGURES, _MONTH_FIRST)
    ]
