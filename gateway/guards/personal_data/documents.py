"""Passports and driving licences: no check digit says what they are, so that only words right beside them do."""

import re
from collections.abc import Callable, Iterable

from gateway.guards.base import Around, Rule
from gateway.guards.folding import fold
from gateway.guards.personal_data.words import GUARD_NAME, either, folded, has_words, scan_for

_BETWEEN = re.compile(
    fold(
        r"(?:numbers?|num|no\.?|nr\.?|n[oº°]\.?|#|id|card|nummer|numero|номер|is|was|are|ist|lautet|est|es|e|της|:|=|\(|-|\"|'|\s"
        r"|番号|号码|号碼|号|號码|は|번호|는|은|是|为)*$"
    )
)
_PASSPORT = (
    r"passports? | reisepass\w* | pass(?:nummer|nr\.?) | passeport | pasaporte | passaporto | passaporte | paspoort\w*",
    r"paszport\w* | паспорт\w* | pasaport\w* | pas(?:s|e)?nummer | útlevél\w* | διαβατηρι\w*",
    "护照 | 護照 | 旅券 | パスポート | 여권",
)
_LICENCE = (
    r"driv(?:er'?s?|ers'|ing)'? licen[sc]e | driv(?:er'?s?|ing)'? permit | driv(?:er'?s?|ing)'? lic\.? | licen[sc]e",
    r"dl | d\.l\. | führerschein\w* | permis de conduire | (?:licencia|permiso|carn[eé]t?) de conduc(?:ir|tor)",
    r"patente(?: di guida)? | carta de condução | carteira (?:nacional )?de habilitação | cnh | rijbewijs\w*",
    r"praw[oa] jazdy | k[øo]rkort\w* | ajokort\w* | водительск\w+ удостоверени\w+",
    "驾照 | 驾驶证 | 運転免許 | 运转免许 | 운전면허",
)


def passports() -> list[Rule]:
    return _right_beside(_PASSPORT, "PASSPORT", r"[0-9][0-9A-Za-z]{4,9}", r"[A-Za-z]{0,2} ?[0-9]{2}[0-9A-Za-z]{3,8}")


def licences() -> list[Rule]:
    """In groups of which each has a figure."""
    further = r"[0-9](?:[0-9A-Za-z]|[ \-](?=[A-Za-z]{0,3}[0-9])){4,14}"
    return _right_beside(_LICENCE, "DRIVER_LICENSE", further, rf"[A-Za-z]{{0,4}}[ \-]?{further}")


def _right_beside(words: Iterable[str], name: str, figure: str, letter: str) -> list[Rule]:
    """Two, for numbers that begin with a figure and for those that begin with a letter: `figure`, `letter` go on."""
    check, scan = _right_behind(words), scan_for(words, behind="(?:[^a-z]|[aceilnw])")
    return [
        Rule(
            guard=GUARD_NAME,
            name=name,
            scan=scan,
            pattern=rf"{first}(?<![\w.\-].){further}(?![\w]|-\w)",
            check=check,
            first=28,
            shows=2,
            beside=True,
        )
        for first, further in (("[0-9]", figure), ("[A-Za-z]", letter))
    ]


def _right_behind(words: Iterable[str]) -> Callable[[str, Around], float]:
    """Between the word and the number stands nothing but `number`, `is` and the like."""
    each = re.compile(rf"(?<![^\W_]){either(folded(words))}").finditer

    def score(_text: str, around: Around) -> float:
        if not has_words(around.before):
            return 0.0
        return 0.85 if any(_BETWEEN.match(around.before, found.end()) for found in each(around.before)) else 0.0

    return score
