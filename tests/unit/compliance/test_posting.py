"""Posts to addresses that strangers choose: only to the outside, to the address that was checked, and not for long."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from compliance import outside, posting
from compliance.outside import TargetRefused
from compliance.posting import Answer
from tests.factories.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def post(url: str, *, inside: bool = True, **options: Any) -> Answer:
    return posting.post(url, b"{}", {"webhook-id": "msg_1"}, inside=inside, **options)


def test_it_works(receiver: Receiver) -> None:
    assert post(receiver.url) == Answer(status=204)
    ((path, headers, body),) = receiver.requests
    assert (path, body, headers["webhook-id"]) == ("/hooks?of=acme", b"{}", "msg_1")
    assert headers["content-type"] == "application/json"
    assert headers["host"] in receiver.url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://hooks.example/", id="not encrypted"),
        pytest.param("ftp://hooks.example/", id="another protocol"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://", id="no host"),
        pytest.param("https://user:password@hooks.example/", id="with a user name"),
        pytest.param("https://hooks.example:99999/", id="an impossible port"),
        pytest.param("https://[::1", id="half an address"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        outside.checked(url, inside=False)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.1.2.3", id="also loopback"),
        pytest.param("0.0.0.0", id="this host"),
        pytest.param("10.0.0.8", id="private, 10"),
        pytest.param("172.16.0.1", id="private, 172"),
        pytest.param("192.168.1.1", id="private, 192"),
        pytest.param("169.254.169.254", id="metadata service"),
        pytest.param("100.100.100.200", id="metadata service, shared space"),
        pytest.param("168.63.129.16", id="platform service with a public number"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("192.0.2.7", id="documentation"),
        pytest.param("::1", id="loopback, version 6"),
        pytest.param("::", id="unspecified"),
        pytest.param("fe80::1", id="link-local"),
        pytest.param("fe80::1%eth0", id="link-local with a zone"),
        pytest.param("fd00:ec2::254", id="metadata service, version 6"),
        pytest.param("ff02::1", id="multicast, version 6"),
        pytest.param("::ffff:127.0.0.1", id="mapped loopback"),
        pytest.param("::ffff:169.254.169.254", id="mapped metadata service"),
        pytest.param("192.0.0.9", id="protocol assignment, version 4"),
        pytest.param("192.88.99.1", id="relay from 6to4"),
        pytest.param("::127.0.0.1", id="compatible loopback"),
        pytest.param("::169.254.169.254", id="compatible metadata service"),
        pytest.param("::93.184.215.14", id="compatible, deprecated whatever it wraps"),
        pytest.param("::ffff:0:127.0.0.1", id="translated loopback"),
        pytest.param("::ffff:0:169.254.169.254", id="translated metadata service"),
        pytest.param("::ffff:168.63.129.16", id="mapped platform service"),
        pytest.param("::ffff:192.0.0.9", id="mapped protocol assignment"),
        pytest.param("64:ff9b::a9fe:a9fe", id="metadata service through NAT64"),
        pytest.param("64:ff9b::7f00:1", id="loopback through NAT64"),
        pytest.param("64:ff9b:1::7f00:1", id="loopback through NAT64 of one's own"),
        pytest.param("64:ff9b:1:a9fe:a9:fe00::", id="metadata service through NAT64 of one's own"),
        pytest.param("fec0::1", id="site-local"),
        pytest.param("100::1", id="discard"),
        pytest.param("5f00::1", id="segment routing"),
        pytest.param("4000::1", id="not assigned"),
        pytest.param("2002:7f00:1::", id="loopback through 6to4"),
        pytest.param("2002:5db8:d70e::", id="6to4, whatever it wraps"),
        pytest.param("2001:0:a9fe:a9fe::", id="Teredo, by its server"),
        pytest.param("2001:0:5db8:d70e:0:ffff:80ff:fffe", id="Teredo, by its client"),
        pytest.param("2001:1::1", id="protocol assignment, version 6"),
        pytest.param("2001:db8::1", id="documentation, version 6"),
        pytest.param("3fff::1", id="documentation, version 6, newer"),
    ],
)
def test_addresses_that_are_not_of_the_public_internet(address: str) -> None:
    assert not outside.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("93.184.215.14", id="version 4"),
        pytest.param("2606:2800:21f:cb07:6820:80da:af6b:8b2c", id="version 6"),
        pytest.param("2001:4860:4860::8888", id="version 6, beside the protocol assignments"),
        pytest.param("2a00:1450:4001:82b::200e", id="version 6, of another registry"),
        pytest.param("::ffff:93.184.215.14", id="a public one, mapped"),
        pytest.param("64:ff9b::5db8:d70e", id="a public one through NAT64"),
    ],
)
def test_addresses_of_the_public_internet(address: str) -> None:
    assert outside.is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="an address"),
        pytest.param("2130706433", id="an address as one number"),
        pytest.param("0x7f000001", id="an address in hexadecimal"),
        pytest.param("127.1", id="a short address"),
        pytest.param("[::ffff:127.0.0.1]", id="a mapped address"),
        pytest.param("localhost", id="a name"),
    ],
)
def test_nothing_is_sent_inside(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_connection", pytest.fail)
    answer = post(f"https://{host}:9/", inside=False)
    assert answer.status is None
    assert "not a public address" in answer.error


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert "10.0.0.1" in post("https://hooks.example/", inside=False).error


def test_a_name_is_resolved_once_and_the_connection_goes_there(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers differently the second time gains nothing."""
    asked = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != "hooks.example":
            return real(host, port, *args, **options)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = receiver.url.replace("127.0.0.1", "hooks.example")
    assert post(url).is_success
    assert asked == ["hooks.example"]
    ((_, headers, _),) = receiver.requests
    assert headers["host"].startswith("hooks.example:")


def test_a_name_without_an_address_is_an_error() -> None:
    assert "has no address" in post("https://nowhere.invalid/").error


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int, receiver: Receiver) -> None:
    receiver.status, receiver.headers = status, {"Location": receiver.url}
    answer = post(receiver.url)
    assert (answer.status, answer.is_success) == (status, False)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_any_other_answer_is_a_failure(status: int, receiver: Receiver) -> None:
    receiver.status = status
    assert post(receiver.url) == Answer(status=status, error=f"answered {status}")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("120", 120, id="seconds"),
        pytest.param("-1", 0, id="less than none"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 0, id="a date"),
        pytest.param("9" * 40, 0, id="for ever"),
    ],
)
def test_the_time_that_is_asked_for_is_kept(header: str, seconds: int, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": header}
    assert post(receiver.url).retry_after_s == seconds


def test_what_is_answered_is_not_read(receiver: Receiver) -> None:
    """An endless body would otherwise fill the memory."""

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"secret " * 1000)
        except OSError:
            return

    receiver.behave = endless
    assert post(receiver.url) == Answer(status=200)


def test_an_answer_that_comes_drop_by_drop_is_ended(receiver: Receiver) -> None:
    """Each byte is in time, all of them are not."""

    hung_up = threading.Event()

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                handler.wfile.write(b"x: y\r\n")
                handler.wfile.flush()
                hung_up.wait(0.05)
        except OSError:
            return

    receiver.behave = dripping
    answer = post(receiver.url, timeout_s=1)
    assert answer == Answer(error="no answer within 1 s")


def test_a_port_that_nobody_listens_on(receiver: Receiver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "cannot connect" in post(f"http://127.0.0.1:{free.getsockname()[1]}/").error


def test_an_answer_that_is_no_http(receiver: Receiver) -> None:
    def greet(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")

    receiver.behave = greet
    answer = post(receiver.url)
    assert answer.status is None
    assert "OpenSSH" not in answer.error


# --- TLS ----------------------------------------------------------------------------------------------------------


def a_certificate(folder: Path, *, host: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate of its own for `host`, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate)
    (folder / "both.pem").write_bytes(certificate + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return path, context


@pytest.mark.parametrize(
    ("named", "trusted", "works"),
    [
        pytest.param("hooks.example", True, True, id="its own certificate"),
        pytest.param("hooks.example", False, False, id="a certificate that nobody vouches for"),
        pytest.param("other.example", True, False, id="somebody else's certificate"),
    ],
)
def test_the_certificate_is_that_of_the_name_in_the_url(
    named: str, trusted: bool, works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the connection goes to an address."""
    path, context = a_certificate(tmp_path, host=named)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setattr(posting, "resolve", lambda *_, **__: "127.0.0.1")
    with receiving(tls=context) as receiver:
        answer = post(receiver.url.replace("127.0.0.1", "hooks.example"))
    assert answer.is_success is works
    assert bool(receiver.requests) is works
