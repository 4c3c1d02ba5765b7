"""The client's address, with and without proxies in front."""

import pytest

from config.addresses import client_address, networks

PROXIES = networks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])


def test_it_works() -> None:
    assert client_address("10.0.0.1", "203.0.113.9", PROXIES) == "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        pytest.param("203.0.113.5", "198.51.100.1", "203.0.113.5", id="an untrusted peer's header is ignored"),
        pytest.param("10.0.0.1", "", "10.0.0.1", id="a proxy that reports nobody"),
        pytest.param("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9", id="what the client wrote does not count"),
        pytest.param("10.0.0.1", "203.0.113.9, 10.0.0.2, 192.0.2.7", "203.0.113.9", id="a chain of proxies"),
        pytest.param("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", id="proxies only: the farthest"),
        pytest.param("10.0.0.1", "203.0.113.9, nonsense", "10.0.0.1", id="nonsense ends the search"),
        pytest.param("10.0.0.1", "203.0.113.9:4711", "203.0.113.9", id="with a port"),
        pytest.param("fd00::1", "[2001:db8::1]:4711", "2001:db8::1", id="IPv6 with a port"),
        pytest.param("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1", id="IPv4 written as IPv6"),
        pytest.param("", "203.0.113.9", "", id="a peer without address"),
        pytest.param("unix:", "203.0.113.9", "", id="a Unix socket"),
    ],
)
def test_the_right_most_untrusted_address_counts(peer: str, forwarded_for: str, expected: str) -> None:
    assert client_address(peer, forwarded_for, PROXIES) == expected


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert client_address("10.0.0.1", "203.0.113.9", ()) == "10.0.0.1"
