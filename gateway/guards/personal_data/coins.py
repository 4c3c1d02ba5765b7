"""Addresses of crypto currencies: by their checksums (base58check, bech32 of BIP 173 and 350), Ethereum's by shape."""

import hashlib

from gateway.guards.base import Around, Rule
from gateway.guards.personal_data.words import GUARD_NAME, LONG_RUN, beside

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_RIPPLE = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CHECKS = (1, 0x2BC830A3)

_is_coin = beside(
    (
        r"solana | sol | wallets? | crypto\w* | monero | xmr | cardano | ada | address | deposit | adresse",
        r"portefeuille",
    )
)


def base58check(text: str, alphabet: str = _BASE58) -> bool:
    """Whether the last four of 25 bytes are the checksum of the others."""
    number = 0
    for char in text:
        number = number * 58 + alphabet.index(char)
    if number >> 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def bech32(text: str) -> bool:
    """Whether the checksum of BIP 173 or BIP 350 is right."""
    prefix, _, data = text.lower().rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    values += [_BECH32.index(char) for char in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            check ^= generator if top >> place & 1 else 0
    return check in _BECH32_CHECKS


def _base58(text: str, _around: Around) -> float:
    return 1.0 if base58check(text) or (text[0] == "r" and base58check(text, _RIPPLE)) else 0.0


def _bech32(text: str, _around: Around) -> float:
    return 1.0 if (text.islower() or text.isupper()) and bech32(text) else 0.0


def _hex(text: str, _around: Around) -> float:
    return 0.0 if len(set(text[2:].lower())) < 5 else 0.9


def _beside(text: str, around: Around) -> float:
    return 0.8 if _is_coin(around) else 0.0


def rules() -> list[Rule]:
    def rule(pattern: str, check: object, tail: str = "") -> Rule:
        return Rule(
            guard=GUARD_NAME,
            name="CRYPTO_ADDRESS",
            scan=LONG_RUN,
            pattern=rf"(?<![0-9A-Za-z]){pattern}" + ("" if tail else r"(?![0-9A-Za-z])"),
            check=check,  # type: ignore[arg-type]
            tail=tail,
            first=80,
        )

    return [
        rule("[13LMDTr][1-9A-HJ-NP-Za-km-z]{25,33}", _base58),
        rule(
            "(?i:bc|tb|ltc)1(?:[02-9ac-hj-np-z]{11,59}|[02-9AC-HJ-NP-Z]{11,59})",
            _bech32,
        ),
        rule("0x[0-9A-Fa-f]{40}", _hex),
        rule(
            "[48][0-9AB][1-9A-HJ-NP-Za-km-z]{62}",
            _beside,
            "[1-9A-HJ-NP-Za-km-z]",
        ),
        rule("addr1[02-9ac-hj-np-z]{53,58}", _beside, "[02-9ac-hj-np-z]"),
    ]
