"""A batch arrives whole over TCP, TLS and HTTPS, or the sender says that it may not have."""

import socket
import ssl
from pathlib import Path

import pytest

from compliance.siem import transports
from compliance.siem.transports import Destination, NotDelivered, send
from tests.factories.certificates import a_certificate, a_server, an_authority
from tests.factories.receiver import receiving
from tests.factories.syslog import collecting

MESSAGES = [b"<110>1 - - portcullis - - - one", b"<110>1 - - portcullis - - - two"]
TEXTS = ["one", "two"]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "CLOSE_TIMEOUT_S", 1)


def tcp(port: int) -> Destination:
    return Destination(kind=transports.TCP, host="127.0.0.1", port=port)


def tls(port: int, *, host: str = "127.0.0.1", ca: str = "authority", client: str = "") -> Destination:
    own = a_certificate("portcullis", by=client) if client else None
    return Destination(
        kind=transports.TLS,
        host=host,
        port=port,
        ca=an_authority(ca)[0].pem,
        certificate=own.pem if own else "",
        private_key=own.key if own else "",
    )


def test_it_works() -> None:
    with collecting() as collector:
        send(MESSAGES, tcp(collector.port), inside=True)
        assert [each.text for each in collector.messages] == TEXTS


def test_over_tls(tmp_path: Path) -> None:
    with collecting(a_server(tmp_path)) as collector:
        send(MESSAGES, tls(collector.port), inside=True)
        assert [each.text for each in collector.messages] == TEXTS


def test_over_tls_with_a_certificate_of_ours(tmp_path: Path) -> None:
    with collecting(a_server(tmp_path, clients_by="clients")) as collector:
        send(MESSAGES, tls(collector.port, client="clients"), inside=True)
        assert [each.text for each in collector.messages] == TEXTS
        assert collector.certificates[0]["subject"] == ((("commonName", "portcullis"),),)


@pytest.mark.parametrize("client", ["", "nobody"], ids=["none", "one that it does not trust"])
def test_a_receiver_that_wants_another_certificate(client: str, tmp_path: Path) -> None:
    with collecting(a_server(tmp_path, clients_by="clients")) as collector:
        with pytest.raises(NotDelivered):
            send(MESSAGES, tls(collector.port, client=client), inside=True)
        assert collector.streams == []


@pytest.mark.parametrize(
    ("name", "ca"),
    [("127.0.0.1", "somebody else"), ("other.example", "authority")],
    ids=["nobody we trust", "another's name"],
)
def test_a_receiver_that_is_not_who_it_should_be(name: str, ca: str, tmp_path: Path) -> None:
    with collecting(a_server(tmp_path, name=name)) as collector:
        with pytest.raises(NotDelivered, match="certificate is not trusted"):
            send(MESSAGES, tls(collector.port, ca=ca), inside=True)
        assert collector.streams == []


def test_a_receiver_that_dies_in_the_middle() -> None:
    with collecting() as collector:
        collector.hang_up_after = 100_000
        with pytest.raises(NotDelivered):
            send([b"x" * 10_000] * 500, tcp(collector.port), inside=True)
        assert collector.streams == []


def test_a_receiver_that_never_closes_has_acknowledged_everything() -> None:
    with collecting() as collector:
        collector.never_closes = True
        send(MESSAGES, tcp(collector.port), inside=True)
        assert [each.text for each in collector.messages] == TEXTS


def test_a_receiver_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "SEND_TIMEOUT_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(NotDelivered, match="in time"):
        send([b"x" * 1_000_000] * 20, tcp(listener.getsockname()[1]), inside=True)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotDelivered, match="nothing listens"):
        send(MESSAGES, tcp(port), inside=True)


def test_over_https(tmp_path: Path) -> None:
    with receiving(tls=a_server(tmp_path)) as receiver:
        ca = an_authority()[0].pem
        to = Destination(kind=transports.HTTPS, url=receiver.url, ca=ca, token="a token")
        send([b'{"a":1}', b'{"a":2}'], to, inside=True)
    ((headers, body),) = receiver.messages
    assert body == b'{"a":1}\n{"a":2}\n'
    assert headers["authorization"] == "Bearer a token"
    assert headers["content-type"] == "application/x-ndjson"


def test_an_answer_that_is_no_success() -> None:
    with receiving() as receiver:
        receiver.status, receiver.headers = 503, {"Retry-After": "60"}
        with pytest.raises(NotDelivered, match="answered 503") as refused:
            send([b"{}"], Destination(kind=transports.HTTPS, url=receiver.url), inside=True)
    assert (refused.value.retry_after_s, refused.value.is_of_content) == (60, False)


def test_an_answer_that_it_was_too_much() -> None:
    with receiving() as receiver:
        receiver.status = 413
        with pytest.raises(NotDelivered) as refused:
            send([b"{}"], Destination(kind=transports.HTTPS, url=receiver.url), inside=True)
    assert refused.value.is_of_content


@pytest.mark.parametrize(
    "to",
    [
        Destination(kind=transports.TCP, host="siem.example", port=514),
        Destination(kind=transports.TLS, host="127.0.0.1", port=6514),
        Destination(kind=transports.TLS, host="169.254.169.254", port=443),
        Destination(kind=transports.HTTPS, url="http://siem.example/"),
        Destination(kind=transports.HTTPS, url="https://10.0.0.1/"),
    ],
    ids=["not encrypted", "this machine", "a cloud's metadata", "http", "a private network"],
)
def test_nothing_is_sent_inside(to: Destination) -> None:
    with pytest.raises(NotDelivered):
        send(MESSAGES, to, inside=False)


def test_secrets_do_not_show() -> None:
    shown = repr(Destination(kind=transports.HTTPS, token="s3cret", private_key="s3cret"))
    assert "s3cret" not in shown


@pytest.mark.parametrize("broken", ["ca", "certificate", "private_key"])
def test_certificates_that_cannot_be_read_are_named(broken: str) -> None:
    own = a_certificate("portcullis")
    parts = {"ca": an_authority()[0].pem, "certificate": own.pem, "private_key": own.key, broken: "no PEM at all"}
    with pytest.raises(ValueError, match="PEM"):
        transports.check(Destination(kind=transports.TLS, host="siem.example", port=6514, **parts), inside=False)


def test_a_key_of_another_certificate_is_refused() -> None:
    one, other = a_certificate("one"), a_certificate("two")
    to = Destination(kind=transports.TLS, host="siem.example", certificate=one.pem, private_key=other.key)
    with pytest.raises(ValueError, match="must be its certificate's"):
        transports.tls_of(to)


def test_old_versions_of_tls_are_refused() -> None:
    assert transports.tls_of(Destination(kind=transports.TLS)).minimum_version == ssl.TLSVersion.TLSv1_2
