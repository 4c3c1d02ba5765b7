"""Payment cards: the ranges of the brands, their lengths, and the check digit of ISO/IEC 7812-1 (Luhn)."""

import re
from collections.abc import Callable

from gateway.guards.base import Around, Rule
from gateway.guards.personal_data.words import GUARD_NAME, TWELVE_FIGURES, beside

_GAP = r"[ .\-_/\t\r\n]{0,2}"
_AFTER = r"(?![0-9A-Za-z]|[.,][0-9])"

_GAPS = b" .-_/\t\r\n"
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))

_COMMON = re.compile(
    rb"4\d{15}"  # Visa
    rb"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    rb"|3[47]\d{13}"  # American Express
    rb"|6(?:011|4[4-9]\d|5\d\d)\d{12}"  # Discover
    rb"|62\d{14}"  # UnionPay
    rb"|35\d{14}|(?:2131|1800)\d{11}"  # JCB
    rb"|(?:5018|5020|5038|5893|6304|6759|676[1-3]|0604)\d{8,15}"  # Maestro
    rb"|4\d{18}"  # Visa of 19 digits
    rb"|3(?:0[0-5]|095|[689]\d)\d{11}"  # Diners Club
    rb"|220[0-4]\d{12}"  # Mir
)
_RARE = re.compile(
    rb"(?:50|5[6-8]|6\d)\d{10,17}"  # Maestro, and all that begin with 6
    rb"|3[5689]\d{14,17}"  # Diners Club and JCB of 16 to 19
    rb"|9792\d{12}|8[12]\d{14,17}"  # Troy, RuPay
)

_OLD = re.compile(rb"4\d{12}")  # Visa of 13 digits

_is_card = beside(
    (
        r"\w*cards?(?:holder)? | cc | visa | master | mastercard | maestro | amex | american express | discover",
        r"diners | unionpay | jcb | pan | rupay | troy | pay(?:ing|ment)? | paid | charged? | billing",
        r"\w*karten?(?:nummer|nr)? | \w*kort(?:et|nummer|nr)? | carte | tarjeta | cart[aã]o | carta",
        r"\w*kaart(?:nummer)? | kart[aęeyou]{1,2} | kart[ıi]?[mn]? | карт\w* | κάρτα\w* | kartu | カード | 卡 | 카드",
    )
)
_is_other = beside(
    (
        "imei | isbn | ean | gtin | upc | order | invoice | tracking | ticket | serial | ref(?:erence)? | transaction",
        "checksum | timestamp | seed | bestellung | rechnung | commande | facture | pedido | factura",
    ),
    within=24,
)


def luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    odd, even = digits[-1::-2].translate(_VALUES), digits[-2::-2].translate(_DOUBLED)
    return (sum(odd) + sum(even)) % 10 == 0


def _score(text: str, around: Around) -> float:
    """Sure by range, length and check digit, unless words say that it is something else.

    Lengths and ranges that are rare, or that many other numbers have as well, count beside words only.
    """
    digits = text.encode().translate(None, _GAPS)
    if not luhn(digits) or digits.count(digits[:1]) == len(digits):
        return 0.0
    if _COMMON.fullmatch(digits):
        return 1.0 if _is_card(around) else 0.4 if _is_other(around) else 0.9
    if _OLD.fullmatch(digits):
        return 0.9 if _is_card(around) else 0.4 if _is_other(around) else 0.55
    return 0.9 if _RARE.fullmatch(digits) and _is_card(around) else 0.0


def _told(text: str, around: Around) -> float:
    """Amid a row of numbers, one in ten has a right check digit by chance."""
    return 0.9 if _is_card(around) and _score(text, around) else 0.0


def _rule(pattern: str, check: Callable[[str, Around], float] = _score) -> Rule:
    return Rule(guard=GUARD_NAME, name="CARD", scan=TWELVE_FIGURES, pattern=pattern, check=check, first=60, shows=4)


def _common(first: str, length: int, before: str = "") -> str:
    """However its digits stand apart. `before`: what else must not stand there.

    Behind other numbers only where at least four digits stand together, and never as the digits of a fraction.
    """
    alone = rf"(?<![0-9A-Za-z].)(?<![0-9]\.{first})(?:(?<![0-9][ .\-/_\t\n].)|(?=[0-9]{{3}})){before}"
    return rf"{first}{alone}(?![0-9]{{0,3}}\.[0-9]{{6}})(?:{_GAP}[0-9]){{{length - 1}}}{_AFTER}"


def rules() -> list[Rule]:
    """One for each usual length, as of digits in a row with others each is tried; and one for all lengths."""
    before = r"(?<![0-9A-Za-z].)(?<![0-9][ .\-].)"
    groups = r"[0-9]{3}(?:[ \-][0-9]{4}){2,3}(?:[ \-][0-9]{1,3})?"
    row = r"(?<![0-9A-Fa-f]-.)(?<![0-9]{4} .)"
    return [
        _rule(_common("[2-9]", 16, row) + r"(?![ \-][0-9]{4}(?![0-9]))"),
        _rule(_common("[2-9]", 16), _told),
        _rule(_common("3", 15)),
        _rule(_common("3", 14)),
        _rule(rf"[0-9]{before}[0-9]{{11,18}}{_AFTER}"),
        _rule(rf"[0-9]{before}{groups}{_AFTER}", _told),
    ]
