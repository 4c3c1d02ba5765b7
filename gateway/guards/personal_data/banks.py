"""Bank accounts: IBAN, by the lengths of the countries in the registry of ISO 13616, and its check digits (mod 97)."""

import re
from collections import defaultdict

from gateway.guards.base import Around, Rule
from gateway.guards.personal_data.words import GUARD_NAME, SIX_FIGURES

_LENGTHS = (
    "NO15 BE16 BI27 DK18 FI18 FK18 FO18 GL18 NL18 SD18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 MN20 XK20 "
    "CH21 HR21 LI21 LV21 BG22 BH22 CR22 DE22 GB22 GE22 IE22 ME22 RS22 VA22 AE23 GI23 IL23 IQ23 OM23 SO23 TL23 "
    "AD24 CZ24 ES24 MD24 PK24 RO24 SA24 SE24 SK24 TN24 VG24 LY25 PT25 ST25 IS26 TR26 DJ27 FR27 GR27 IT27 MC27 MR27 "
    "SM27 AL28 AZ28 BY28 CY28 DO28 GT28 HN28 HU28 LB28 NI28 PL28 SV28 BR29 EG29 PS29 QA29 UA29 JO30 KW30 MU30 YE30 "
    "MT31 SC31 LC32 RU33 DZ26 AO25 CV25 MZ25 BF28 BJ28 CF27 CG27 CI28 CM27 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 "
    "NE28 SN28 TD27 TG28"
)
_GAP = r"[ .\-_\t\n]?"
_GAPS = re.compile(r"[ .\-_\t\n]+")
_GAPS_MOST = 31


def _by_length() -> dict[int, list[str]]:
    countries: dict[int, list[str]] = defaultdict(list)
    for each in _LENGTHS.split():
        countries[int(each[2:])].append(each[:2])
    return countries


def _of_length(length: int, countries: list[str]) -> str:
    """What comes behind the letters of the country: groups of four, or gaps anywhere, as lines break anywhere."""
    apart = min(length, _GAPS_MOST) - 4
    groups, last = divmod(length - 4, 4)
    grouped = rf"[0-9]{{2}}(?:{_GAPS.pattern[:-1]}{{1,3}}[0-9A-Z]{{4}}){{{groups}}}"
    grouped += rf"{_GAPS.pattern[:-1]}{{1,3}}[0-9A-Z]{{{last}}}" if last else ""
    anywhere = rf"(?:{_GAP}[0-9]){{2}}(?:{_GAP}[0-9A-Z]){{{apart}}}" + "[0-9A-Z]" * (length - 4 - apart)
    return rf"(?<={'|'.join(countries)})(?:{grouped}|{anywhere})"


def _pattern() -> str:
    kinds = "|".join(_of_length(length, countries) for length, countries in sorted(_by_length().items()))
    return rf"[A-Za-z](?<![0-9A-Za-z].)[A-Za-z](?=(?:{_GAP}[0-9]){{2}})(?i:{kinds})(?![0-9A-Za-z])"


def valid(compact: str) -> bool:
    """Whether the check digits are right, in an IBAN without gaps (ISO 7064, mod 97-10)."""
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _score(text: str, _around: Around) -> float:
    return 1.0 if valid(_GAPS.sub("", text)) else 0.0


def rules() -> list[Rule]:
    return [
        Rule(
            guard=GUARD_NAME,
            name="IBAN",
            scan=SIX_FIGURES,
            pattern=_pattern(),
            check=_score,
            first=70,
            shows=4,
        )
    ]
