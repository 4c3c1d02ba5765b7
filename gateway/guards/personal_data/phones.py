"""Phone numbers: by how they are written, by words beside them, and by the numbering plans in `phonenumbers`.

A number in international form is certain where its country's plan knows it. Without a country code nothing is certain:
what counts is whether it is grouped as people group phone numbers, and whether a word says that it is one.
"""

import re
from collections.abc import Callable
from functools import cache

from gateway.guards.base import Around, Rule
from gateway.guards.folding import fold
from gateway.guards.personal_data.words import GUARD_NAME, SIX_FIGURES, beside

_EXTENSION = r"(?:[ ,]{0,2}(?:x|ext\.?|#|extension|durchwahl|poste|anexo) ?[0-9]{1,5})?"
_BEFORE = r"(?<![\w+#$€£].)(?<![0-9][.,:/\-].)(?<![A-Za-z]/.)"
_NOT_IN_A_ROW = r"(?:(?<=[+(])|(?<![0-9] [0-9]))"
_AFTER = r"(?![\w%°€$£]|[.,:/\-][0-9])"
_GAP = r"(?:[ .\-/]|[ .\-]?\(|\)[ .\-/]?|  )"
_CODE = (
    r"(?:(?<=\+) ?[0-9]{1,3}(?:[ .\-]?\(0\) ?[0-9]{1,5}|[0-9]{1,4}|[ .\-][0-9](?=[ .\-]))?"
    r"|(?<=\()\+?[0-9]{1,5}|(?<=[0-9])[0-9]{0,7}(?:[ .\-][0-9](?=[ .\-]))?)"
)
_GROUPS = (
    rf"(?:(?:{_GAP}[0-9]{{2,4}}){{2,5}}(?![0-9])|(?:{_GAP}[0-9]{{1,8}}){{1,3}}(?![0-9])"
    rf"|{_GAP}[0-9]{{9,11}}(?![0-9])|[0-9]{{5,13}})"
)
_GENERAL = rf"[+(0-9]{_BEFORE}{_NOT_IN_A_ROW}{_CODE}{_GROUPS}"

_PREFIX = r"(?:(?<=\+) ?1[ .\-]?\(?|(?<=0)01[ .\-]?\(?|(?<=1)[ .\-]\(?|)"
_AREA = r"(?:(?<=\()[0-9]{3}\)[ .\-]?|(?<=[0-9])[0-9]{2}[ .\-]|[0-9]{3}[ .\-])"
_AMERICAN = rf"[+(0-9]{_BEFORE}{_PREFIX}{_AREA}[0-9]{{3}}[ .\-][0-9]{{4}}"

_BROKEN = rf"[+(0-9]{_BEFORE}{_NOT_IN_A_ROW}[0-9 .\-()/]{{1,13}}(?:\n[0-9 .\-()/]{{0,10}}){{1,3}}[0-9]"
_LINES = r"[0-9][ .\-)]?\n[ .\-(]?[0-9]"
_LABELS = [
    "office",
    "fax",
    "mobile",
    "mob",
    "cell",
    "home",
    "work",
    "phone",
    "tel",
    "direct",
    "büro",
    "privat",
    "bureau",
    "oficina",
    "móvil",
    "casa",
    "celular",
]
_LABEL = rf"(?=[ \-(,:]{{1,3}}(?:{fold('|'.join(_LABELS))})(?![a-z]))"

_is_phone = beside(
    (
        r"(?:tele|smart|i)?phones?(?:nummer|nr)? | tel | telephone\w* | telef[oó]n\w* | téléphone | ph | fax\w*",
        r"hotline | call(?:ed|ing|s|back)? | dial(?:l?ed|l?ing)? | ring | mobiles? | mobil\w* | móvil | mob",
        r"cell(?:phone|ular|ulare)? | celular\w* | text(?:ed)? me | sms | whats ?app | signal | telegram | viber",
        r"reach(?:ed|able)? | contact(?:ed|s)? | answering(?: at)? | voicemail | landline | extension",
        r"handy(?:nummer|nr)? | ruf\w* | nummer | anruf\w* | erreich\w* | appel\w* | joign\w* | joindre | portable",
        r"llam\w* | chiam\w* | ligar | ligue | bellen | puh\w* | soit\w* | tlf | zadzwo\w* | dzwo\w* | volat",
        r"zavol\w* | тел\w* | звон\w* | моб\w* | τηλ\w* | κιν\w* | điện thoại | telpon | hp | numbers? is",
        r"numbers? (?:at|to|for) | my numbers? | numéro | rufnr | número | 電話 | 携帯 | 电话 | 手机 | 手機 | 联系",
        "전화 | 휴대폰 | 연락처",
    )
)
_is_other = beside(
    (
        r"order | invoice | account | acct | id | ssn | social security | passport | licen[sc]e | card | iban | isbn",
        r"issn | version | serial | tracking | case | ticket | zip | postcode | population | routing | imei | vin",
        r"tax | vat | policy | member | konto\w* | bestell\w* | rechnung\w* | factur[ae] | commande | pedido",
        r"patient | mrn | customer | employee | reference | ref | pin | lat | lon | coordinates | sku | part | model",
        r"port",
    ),
    within=22,
)

_IP_ADDRESS = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_DIGITS = re.compile(r"[0-9]+")
_EXTENDED = re.compile(r"(?i)[ ,]*[xedpa#].*$", re.DOTALL)
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[.\-/ ](?:0?[1-9]|1[0-2])[.\-/ ](?:0?[1-9]|[12][0-9]|3[01])\b.*"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[.\-/ ](?:0?[1-9]|[12][0-9]|3[01])[.\-/ ](?:19|20)[0-9]{2}\b.*"
    r"|(?:19|20)[0-9]{2} ?[\-/] ?(?:19|20)[0-9]{2}",
    re.DOTALL,
)
_AMERICAN_SHAPE = re.compile(
    r"(?:\+? ?1|001)?[ .\-]?(?:\([0-9]{3}\)[ .\-]?|[0-9]{3}[.\-])[0-9]{3}[.\-][0-9]{4}"
    r"|[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"
)
_AREA_SHAPE = re.compile(
    r"\(0?[0-9]{1,4}\)[ .\-/]?[0-9]{2,5}(?:[ \-.][0-9]{2,5}){0,3}|\(0?[0-9]{2,5}\)[ .\-/]?[0-9]{5,8}"
)
_TRUNK_SHAPE = re.compile(
    r"0[1-9][0-9]{0,4}(?:[ \-/.]{1,3}[0-9]{2,4}){2,4}|0[1-9][0-9]{0,4}[ \-/.]{1,3}[0-9]{5,8}"
    r"|0[1-9]-[0-9]/[0-9]{3} [0-9]{4}"
)
_WHOLE_SHAPE = re.compile(r"0[1-9][0-9]{8,9}|1[3-9][0-9]{9}")
_ENCODED = 0.5
"""Of what somebody has encoded: the word that says what it is may stand behind it, where it is not seen."""

_GROUPED = frozenset(
    ["2-2-2-2", "2-3-2-2", "3-2-2-2", "3-3-2-2", "4-2-2-2", "4-3-2-2", "4-3-3", "5-3-3", "3-4-4", "2-4-4", "3-3-4"]
) | {"1-3-3-4", "2-3-3-4", "4-5-3"}
"""How many digits the groups have in which numbers are written in some country, but hardly anything else."""

_INTERNATIONAL = re.compile(r"\(?(?:\+|00(?=[1-9]))")


def _shape(text: str) -> float:
    """How much it is written as a phone number, by the groups of its digits."""
    if _AMERICAN_SHAPE.fullmatch(text):
        return 0.85
    if _AREA_SHAPE.fullmatch(text):
        return 0.75
    if _TRUNK_SHAPE.fullmatch(text):
        return 0.7
    groups = "-".join(str(len(group)) for group in _DIGITS.findall(text))
    return 0.5 if groups in _GROUPED or _WHOLE_SHAPE.fullmatch(text) else 0.2


def _plan(digits: str) -> float:
    """How sure the numbering plans are of a number that begins with the code of a country (ITU-T E.164)."""
    for length in (1, 2, 3):
        if (lengths := _lengths().get(digits[:length])) is not None:
            return 0.9 if len(digits) - length in lengths or len(digits) - length - 1 in lengths else 0.45
    return 0.3


@cache
def _lengths() -> dict[str, frozenset[int]]:
    """By code of a country, how many digits its numbers have. Takes some 50 ms; see `prepare`."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    lengths = {}
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        metadata = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
        descriptions = [each.general_desc for each in metadata if each is not None]
        lengths[str(code)] = frozenset(
            most for each in descriptions if each is not None for most in each.possible_length
        )
    return lengths


def _score(text: str, around: Around) -> float:
    number = _EXTENDED.sub("", text).strip()
    digits = "".join(_DIGITS.findall(number))
    if not 6 <= len(digits) <= 17 or len(set(digits)) < 2 or _is_book(digits):
        return 0.0
    if _DATE.fullmatch(number) or _opens(number):
        return 0.0
    if _is_phone(around):
        return 0.85
    sure = max(_shape(number), _ENCODED if around.encoded else 0.0)
    if (found := _INTERNATIONAL.match(number)) is not None:
        sure = max(sure, _plan(digits.removeprefix("00") if "+" not in found[0] else digits))
    return min(sure, 0.3) if _IP_ADDRESS.fullmatch(number) or (sure > 0.3 and _is_other(around)) else sure


def _opens(text: str) -> bool:
    """Whether it begins with a bracket that belongs to the sentence."""
    return text.count("(") != text.count(")")


def _is_book(digits: str) -> bool:
    """Whether it may be an ISBN."""
    return len(digits) == 13 and digits.startswith(("978", "979"))


def _labelled(text: str, around: Around) -> float:
    """Followed by `office`, `fax` and the like."""
    digits = "".join(_DIGITS.findall(text))
    is_other = _DATE.fullmatch(text) or _opens(text) or _is_book(digits)
    return 0.85 if 6 <= len(digits) <= 20 and not is_other else 0.0


def _broken(text: str, around: Around) -> float:
    """Broken by the end of a line: certain only as a whole."""
    joined = re.sub(r"\s*\n\s*", "", text)
    spaced = re.sub(r"\s*\n\s*", " ", text)
    digits = "".join(_DIGITS.findall(text))
    if not 7 <= len(digits) <= 15 or _opens(text) or _is_book(digits):
        return 0.0
    if _DATE.fullmatch(joined) or _DATE.fullmatch(spaced):
        return 0.0
    if text.startswith("+"):
        return _plan(digits)
    if _AMERICAN_SHAPE.fullmatch(joined) or _AMERICAN_SHAPE.fullmatch(spaced):
        return 0.7
    return 0.7 if _is_phone(around) else 0.0


def _labelled_broken(text: str, _around: Around) -> float:
    return 0.7 if 6 <= len("".join(_DIGITS.findall(text))) <= 20 else 0.0


def prepare() -> None:
    """Reads the numbering plans."""
    _lengths()


def rules() -> list[Rule]:
    return [
        _rule(SIX_FIGURES, rf"(?i){_GENERAL}{_EXTENSION}{_AFTER}", _score, 20),
        _rule(SIX_FIGURES, rf"(?i){_AMERICAN}{_EXTENSION}{_AFTER}", _score, 25),
        _rule(SIX_FIGURES, rf"(?i){_GENERAL}{_LABEL}", _labelled, 22),
        _rule(_LINES, _BROKEN + _AFTER, _broken, 15),
        _rule(_LINES, rf"(?i){_BROKEN}(?:x[0-9]{{1,5}})?{_LABEL}", _labelled_broken, 16),
    ]


def _rule(scan: str, pattern: str, check: Callable[[str, Around], float], first: int) -> Rule:
    return Rule(guard=GUARD_NAME, name="PHONE", scan=scan, pattern=pattern, check=check, first=first, shows=2)
