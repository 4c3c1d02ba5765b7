"""Whom a base URL names."""

import pytest

from gateway.addresses import address_of

HERE = "https://api.example:443"


@pytest.mark.parametrize(
    "url",
    ["https://api.example/v1", "https://api.example", "https://API.example:443/v2?x#y", "HTTPS://api.example:/v1"],
)
def test_the_same_host_is_the_same_address(url: str) -> None:
    assert address_of(url) == HERE


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/v1",
        "https://api.example:8443/v1",
        "https://api.example.evil.example/v1",
        "https://api.example@evil.example/v1",
        "https://evil.example@api.example/v1",
        "https://evil.example\\@api.example/v1",
        "https://evil.example\\.api.example/v1",
        "https://api.example:99999/v1",
        "https://api.example:x/v1",
        "https:///v1",
        "",
    ],
)
def test_any_other_one_is_not(url: str) -> None:
    assert address_of(url) != HERE


def test_addresses_of_the_sixth_version_keep_their_brackets() -> None:
    assert address_of("http://[::1]:8000/v1") == "http://[::1]:8000"
