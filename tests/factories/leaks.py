"""Leaked keys, and whose reports of them are believed."""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.actions import leaks, scanning_keys
from gateway.models import Leak, ScanningKey
from tests.factories import THE_SYSTEM, a_key

SIGNER = ec.generate_private_key(ec.SECP256R1())
PEM = SIGNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
IDENTIFIER = hashlib.sha256(PEM.encode()).hexdigest()


def a_scanning_key(pem: str = PEM, identifier: str = IDENTIFIER) -> ScanningKey:
    return scanning_keys.add(scanning_key=ScanningKey(identifier=identifier, public_key=pem), by=THE_SYSTEM)


def a_leak() -> Leak:
    """A key that somebody found in a chat; it is revoked."""
    _, text = a_key()
    return leaks.report_text(text=text, source=Leak.Source.ADMIN, place="a chat", by=THE_SYSTEM)
