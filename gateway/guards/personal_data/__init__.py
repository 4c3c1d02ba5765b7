"""The guard `personal_data`: identifiers of people that have a form.

Names and postal addresses have none: they need a model, see the guard `names`.
"""

from collections.abc import Callable, Sequence
from functools import cache

from gateway.guards.base import Action, Guard, Guarding, Rule, Terms
from gateway.guards.personal_data import (
    banks,
    births,
    cards,
    coins,
    documents,
    mails,
    network,
    persons,
    phones,
    security_numbers,
)
from gateway.guards.personal_data.words import GUARD_NAME

_FAMILIES: dict[str, Callable[[], list[Rule]]] = {
    "CARD": cards.rules,
    "IBAN": banks.rules,
    "EMAIL": mails.rules,
    "PHONE": phones.rules,
    "US_SSN": security_numbers.rules,
    "NATIONAL_ID": persons.rules,
    "DATE_OF_BIRTH": births.rules,
    "PASSPORT": documents.passports,
    "DRIVER_LICENSE": documents.licences,
    "IP_ADDRESS": network.addresses,
    "URL_CREDENTIALS": network.credentials,
    "CRYPTO_ADDRESS": coins.rules,
}


def rules(_guarding: Guarding, terms: Terms) -> Sequence[Rule]:
    """Those that the terms name; all, if they name none."""
    return [rule for name, each in _every().items() if not terms.rules or name in terms.rules for rule in each]


@cache
def _every() -> dict[str, list[Rule]]:
    """The same for all tenants, so that they are there once."""
    return {name: family() for name, family in _FAMILIES.items()}


GUARD = Guard(
    name=GUARD_NAME,
    title="Personal data",
    help=(
        "Payment cards, IBAN, e-mail addresses, phone numbers, national identifiers, passports, driving licences, "
        "dates of birth, IP addresses, URLs with passwords, crypto addresses. Not names and postal addresses."
    ),
    actions=tuple(Action),
    rules=rules,
    prepare=phones.prepare,
    rule_names=tuple(_FAMILIES),
    default=Action.LOG,
)
