"""What this app keeps of people: every table column by column, and the places that are no tables."""

from compliance.privacy.audit import AUDIT
from compliance.privacy.backups import BACKUPS
from compliance.privacy.bundles import BUNDLES
from compliance.privacy.consent import CONSENT
from compliance.privacy.erasure import ERASURE
from compliance.privacy.keys import KEYS
from compliance.privacy.law import LAW
from compliance.privacy.packs import PACKS
from compliance.privacy.people import PEOPLE
from compliance.privacy.places import PLACES
from compliance.privacy.requests import REQUESTS
from compliance.privacy.siem import SIEM
from compliance.registry import register


def register_stores() -> None:
    """Registers what this app keeps; called once, when the apps are ready."""
    register(*PEOPLE, *CONSENT, *REQUESTS, *LAW, *ERASURE, *AUDIT, *BUNDLES, *KEYS, *PLACES, *BACKUPS, *SIEM, *PACKS)
