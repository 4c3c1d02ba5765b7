"""Personal data in labelled documents: of each type how many are found, and how many findings are right.

A finding is right where it overlaps a span of a type that it may stand for; such a span is found.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from benchmarks.guards_bench.intervals import Share
from benchmarks.guards_bench.reading import Document
from gateway.guards.base import Action, Direction, Finding, Guard, Guarding, Role, Terms
from gateway.guards.engine import Engine

RULES = {
    "CREDIT_CARD": "CARD",
    "CREDIT_CARD_NUMBER": "CARD",
    "CREDITCARDNUMBER": "CARD",
    "IBAN_CODE": "IBAN",
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "PHONENUMBER": "PHONE",
    "TELEPHONENUM": "PHONE",
    "SSN": "US_SSN",
    "SOCIALNUM": "US_SSN",
    "SOCIAL_SECURITY_NUMBER": "US_SSN",
    "IP": "IP_ADDRESS",
    "IPV4": "IP_ADDRESS",
    "IPV6": "IP_ADDRESS",
    "CRYPTO": "CRYPTO_ADDRESS",
    "BITCOINADDRESS": "CRYPTO_ADDRESS",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "DRIVERLICENSE": "DRIVER_LICENSE",
    "US_PASSPORT": "PASSPORT",
    "DOB": "DATE_OF_BIRTH",
}
"""Labels that data sets use, by the rule that finds them; a label that is the name of a rule stands for itself."""

ALSO = {
    "DATE_OF_BIRTH": ("DATE_TIME", "DATE"),
    "NATIONAL_ID": ("US_ITIN", "UK_NHS", "IDCARDNUM", "TAXNUM"),
    "URL_CREDENTIALS": ("URL",),
}
"""Labels that a rule is right on, but that it is not there to find: not all dates are of births."""

Find = Callable[[str], Sequence[Finding]]


class Figures(NamedTuple):
    recall: Share
    precision: Share


def finder(name: str = "personal_data") -> Find:
    """What a guard finds in a prompt of a user."""
    guard: Guard = import_module(f"gateway.guards.{name}").GUARD
    guarding = Guarding(policy_id=0, terms=(Terms(guard=name, action=Action.LOG),))
    engine = Engine(guarding, known={name: guard})
    return lambda text: engine.findings(text, role=Role.USER, direction=Direction.PROMPT)


def measured(documents: Sequence[Document], find: Find) -> dict[str, Figures]:
    """By rule; those that are neither labelled nor found are left out."""
    found, spans, right, findings = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for document in documents:
        each = find(document.text)
        for kind, start, end in document.spans:
            rule = rule_of(kind)
            spans[rule] += 1
            found[rule] += any(one.rule == rule and one.start < end and start < one.end for one in each)
        for one in each:
            findings[one.rule] += 1
            right[one.rule] += any(
                one.rule in (rule_of(kind), *_also(kind)) and one.start < end and start < one.end
                for kind, start, end in document.spans
            )
    rules = [rule for rule in dict.fromkeys([*spans, *findings]) if rule in _known() or findings[rule]]
    return {
        rule: Figures(Share(found[rule], spans[rule]), Share(right[rule], findings[rule])) for rule in sorted(rules)
    }


def rule_of(label: str) -> str:
    """The rule that finds what has this label; the label itself where there is none."""
    return RULES.get(label.upper(), label.upper())


def _also(label: str) -> list[str]:
    return [rule for rule, labels in ALSO.items() if label.upper() in labels]


def _known() -> set[str]:
    from gateway.guards.personal_data import GUARD

    return set(GUARD.rule_names)
