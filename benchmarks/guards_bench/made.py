"""Documents made from a seed: identifiers with right check digits in sentences, and numbers that only look like some.

For types that labelled data hardly has. No value was ever anybody's: they are drawn at random.
"""

import hashlib
import random
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.guards_bench.reading import Document, Span

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_WORDS = ("river", "falcon", "orange", "winter", "copper", "meadow", "thunder", "violet", "marble", "tiger", "garden")
_HOSTS = ("acme.example", "mail.umbrella.example", "umbrella.co.uk", "acme.io", "research.acme.org", "umbrella.de")
_MONTHS: tuple[str, ...] = ("January", "February", "March", "April", "May", "June", "July", "August")
_MONTHS += ("September", "October", "November", "December")
_PHONES: tuple[str, ...] = (
    "+1 {3}-555-{4}",
    "(2{2}) 555-{4}",
    "2{2}-555-{4}",
    "2{2}.555.{4}",
    "+44 20 7946 {4}",
    "020 7946 {4}",
)
_PHONES += ("07700 9{5}", "+49 30 {8}", "030 {7}", "+33 6 {2} {2} {2} {2}", "06 {2} {2} {2} {2}", "+34 6{2} {3} {3}")
_PHONES += ("+91 98{3} {5}", "+3531{7}")
"""Forms of phone numbers: `{3}` stands for three digits of which the first is no zero."""

_IBANS = {"DE": 18, "FR": 23, "ES": 20, "NL": 0, "GB": 0, "AT": 16, "CH": 17, "PL": 24, "BE": 12, "PT": 21, "SE": 20}


class Kind(NamedTuple):
    """`sentences`: around a value; `{}` is where it stands."""

    rule: str
    value: Callable[[random.Random], str]
    sentences: tuple[str, ...]


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def luhn_digit(digits: str) -> str:
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def card(chance: random.Random) -> str:
    start, length = chance.choice(
        [("4", 16), ("51", 16), ("55", 16), ("2345", 16), ("34", 15), ("37", 15), ("6011", 16)]
    )
    body = start + _digits(chance, length - len(start) - 1)
    number = body + luhn_digit(body)
    return " ".join([number[:4], number[4:8], number[8:12], number[12:]]) if chance.random() < 0.4 else number


def iban(chance: random.Random) -> str:
    country, length = chance.choice([pair for pair in _IBANS.items() if pair[1]])
    body = _digits(chance, length)
    check = 98 - int("".join(str(int(char, 36)) for char in body + country + "00")) % 97
    whole = f"{country}{check:02d}{body}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if chance.random() < 0.5 else whole


def email(chance: random.Random) -> str:
    first, last = chance.sample(_WORDS, 2)
    local = first + chance.choice([".", "_", "", "+", "-"]) + last + chance.choice(["", _digits(chance, 2)])
    return f"{local}@{chance.choice(_HOSTS)}"


def ssn(chance: random.Random) -> str:
    area = chance.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03d}-{chance.randint(1, 99):02d}-{chance.randint(1, 9999):04d}"


def ip_address(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return ".".join(str(chance.randint(20, 223)) for _ in range(4))
    return ":".join(f"{chance.randint(0, 65535):x}" for _ in range(8))


def phone(chance: random.Random) -> str:
    form = chance.choice(_PHONES)
    for count in range(2, 9):
        while f"{{{count}}}" in form:
            form = form.replace(f"{{{count}}}", str(chance.randint(2, 9)) + _digits(chance, count - 1), 1)
    return form


def birth(chance: random.Random) -> str:
    year, month, day = chance.randint(1930, 2010), chance.randint(1, 12), chance.randint(1, 28)
    return chance.choice([
        f"{day}/{month}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day} {_MONTHS[month - 1]} {year}",
        f"{_MONTHS[month - 1]} {day}, {year}", f"{day:02d}.{month:02d}.{year}",
    ])  # fmt: skip


def bitcoin(chance: random.Random) -> str:
    raw = b"\0" + chance.randbytes(20)
    number = int.from_bytes(raw + hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4], "big")
    text = ""
    while number:
        number, place = divmod(number, 58)
        text = _BASE58[place] + text
    return "1" + text


def cpf(chance: random.Random) -> str:
    body = [chance.randint(0, 9) for _ in range(9)]
    for _ in range(2):
        rest = sum(digit * weight for digit, weight in zip(body, range(len(body) + 1, 1, -1), strict=True)) % 11
        body.append(0 if rest < 2 else 11 - rest)
    digits = "".join(map(str, body))
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"


def password_url(chance: random.Random) -> str:
    return (
        f"postgres://{chance.choice(_WORDS)}:{_digits(chance, 4)}{chance.choice(_WORDS)}@{chance.choice(_HOSTS)}/main"
    )


def passport(chance: random.Random) -> str:
    return chance.choice("ABCXY") + _digits(chance, 8)


_CALLS = ("Call me at {}.", "Tel. {}", "My number is {}", "reach her on {} after six", "Telefon: {}", "Ruf mich an: {}")

KINDS = (
    Kind("CARD", card, ("Charge {} please.", "my card is {}", "{} exp 12/29", "Karte: {}", "lost: {}, yesterday")),
    Kind("IBAN", iban, ("Pay to {}.", "IBAN {}", "Konto {} bitte", "transfer it ({}) today")),
    Kind("EMAIL", email, ("write to {}.", "Mail: <{}>", "{} wrote:", '{{"to": "{}"}}', "mailto:{}")),
    Kind("PHONE", phone, _CALLS),
    Kind("US_SSN", ssn, ("SSN {}", "her social is {}.", "{} is on the form", '"ssn": "{}"')),
    Kind("IP_ADDRESS", ip_address, ("from {} port 22", "Blocked {}.", "ssh root@{}", "client={} status=200")),
    Kind("DATE_OF_BIRTH", birth, ("born on {}", "Date of birth: {}", "DOB {}", "Geburtsdatum: {}", "née le {}")),
    Kind("CRYPTO_ADDRESS", bitcoin, ("send it to {}.", "wallet {}", "BTC:{}")),
    Kind("NATIONAL_ID", cpf, ("CPF {}", "o documento é {}.")),
    Kind("URL_CREDENTIALS", password_url, ("DATABASE_URL={}", "use {} for now")),
    Kind("PASSPORT", passport, ("passport number {}", "her passport is {}.", "Reisepass Nr. {}")),
)

_NEAR = (
    "Order 4<card> has shipped.",
    "Python 3.1#.# and Django 5.2.#.1 work.",
    "Run it at 1#:4#:2# on 2024-0#-12.",
    "sha1 " + "~" * 40 + " differs from " + "~" * 40,
    "The id is ~~~~~~~~-~~~~-4###-9###-############.",
    "ts=17######## ms=17########### us=17##############",
    "pi is 3.############### and e is 2.################",
    "It sold #,###,### copies for $###.99",
    "ISBN 978-3-##-######-#",
    "std::vector<a::b> x; @app.route('/v1') npm i left-pad@#.0.1 img@2x.png",
    "version #.#.#.# of it",
    "Invoice 20##-#####, part ###-#####-##",
    "Solve ### + #### = ####, then ##### / ##.",
    "rows: #### #### #### #### #### ####",
    "see pages 1##-2## (1990-1995), lines 10 20 30 40 50 60",
)
"""`#` stands for a digit, `~` for a hexadecimal one, `<card>` for fifteen digits with a wrong check digit."""


def _wrong(chance: random.Random) -> str:
    """What stands behind a 4, so that it looks like a card."""
    body = _digits(chance, 14)
    return body + str((int(luhn_digit("4" + body)) + chance.randint(1, 9)) % 10)


def _filled(chance: random.Random, near: str) -> str:
    digits = {"#": "0123456789", "~": "0123456789abcdef"}
    text = near.replace("<card>", _wrong(chance))
    return "".join(chance.choice(digits[char]) if char in digits else char for char in text)


def documents(seed: int = 1, *, each: int = 200) -> list[Document]:
    """`each` with a value of every kind."""
    chance = random.Random(seed)
    made = []
    for kind in KINDS:
        for _ in range(each):
            value, sentence = kind.value(chance), chance.choice(kind.sentences)
            start = sentence.index("{}") - sentence[: sentence.index("{}")].count("{{")
            made.append(Document(sentence.format(value), [Span(kind.rule, start, start + len(value))]))
    return made


def near_misses(seed: int = 1, *, each: int = 100) -> list[str]:
    """Texts in which there is nothing to find."""
    chance = random.Random(seed)
    return [_filled(chance, near) for near in _NEAR for _ in range(each)]
