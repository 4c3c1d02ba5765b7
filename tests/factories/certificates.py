"""An authority of its own, and certificates that it signs, for servers and clients of tests."""

import datetime
import ssl
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both PEM."""

    pem: str
    key: str


def an_authority(name: str = "authority") -> tuple[Certificate, Any, Any]:
    """The certificate of an authority, and what it signs with; the same one each time."""
    return _authority(name)


@cache
def _authority(name: str) -> tuple[Certificate, Any, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    builder = _builder(subject, subject, key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    builder = builder.add_extension(
        x509.KeyUsage(*(False,) * 5, True, True, False, False),
        critical=True,  # it signs certificates, and that is all
    )
    signed = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False).sign(
        key, hashes.SHA256()
    )
    return Certificate(_pem(signed), _private(key)), signed, key


def a_certificate(name: str = "127.0.0.1", *, by: str = "authority") -> Certificate:
    """One for a server or a client, signed by that authority."""
    _, authority, signer = an_authority(by)
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        called: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        called = x509.DNSName(name)
    builder = _builder(_named(name), authority.subject, key.public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName([called]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    return Certificate(_pem(builder.sign(signer, hashes.SHA256())), _private(key))


def a_server(folder: Path, *, name: str = "127.0.0.1", clients_by: str = "") -> ssl.SSLContext:
    """The TLS side of a server; with `clients_by` it wants clients' certificates of that authority."""
    own = a_certificate(name)
    path = folder / "server.pem"
    path.write_text(own.pem + own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if clients_by:
        context.load_verify_locations(cadata=an_authority(clients_by)[0].pem)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, public: Any) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private(key: Any) -> str:
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    text: bytes = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return text.decode()
