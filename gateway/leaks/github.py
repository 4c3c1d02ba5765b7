"""Reports of GitHub's secret scanning, after "Secret scanning partner program" (docs.github.com): a JSON array, signed
as a whole with ECDSA over NIST P-256 and SHA-256; the answer tells of each token whether it was a real one.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as NotBase64

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

KEY_IDENTIFIER = "Github-Public-Key-Identifier"
SIGNATURE = "Github-Public-Key-Signature"
MOST_BYTES = 2**20
MOST_TOKENS = 1000


class Match(msgspec.Struct):
    """A token that was found somewhere."""

    token: str
    type: str = ""
    url: str = ""
    source: str = ""


class NotAReport(Exception):
    """A correctly signed body that is no report."""


def public_key(pem: str) -> ec.EllipticCurvePublicKey:
    """A public key of GitHub, as its API lists them.

    Raises:
        ValueError: it is something else than a public key on P-256.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError("not a public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a public key on NIST P-256")
    return key


def is_signed(body: bytes, *, signature: str, pem: str) -> bool:
    """Whether the signature (base64 of ASN.1) is that of the body as it came, byte for byte. Written in one way only:
    what decodes to the same bytes is refused, too."""
    try:
        raw = b64decode(signature, validate=True)
        if b64encode(raw).decode() != signature:
            return False
        public_key(pem).verify(raw, body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, NotBase64, ValueError):
        return False
    return True


def matches_in(body: bytes) -> list[Match]:
    """What a report names.

    Raises:
        NotAReport: it is none, or names too many.
    """
    try:
        matches = msgspec.json.decode(body, type=list[Match])
    except ValueError as error:
        raise NotAReport("The body is no JSON array of tokens.") from error
    except RecursionError as error:
        raise NotAReport("The body is nested too deeply.") from error
    if len(matches) > MOST_TOKENS:
        raise NotAReport(f"The body names {len(matches):,} tokens; at most {MOST_TOKENS:,} are read at once.")
    return matches


def answer_to(match: Match, *, real: bool) -> dict[str, str]:
    """What GitHub is told of a token: never its text, but its SHA-256, in hexadecimal."""
    return {
        "token_hash": hashlib.sha256(match.token.encode()).hexdigest(),
        "token_type": match.type,
        "label": "true_positive" if real else "false_positive",
    }
