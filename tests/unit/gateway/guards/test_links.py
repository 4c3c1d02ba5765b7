"""Links lead to the hosts that are allowed, however they are written, or they are found."""

import pytest

from gateway.guards.links import GUARD, host_of
from gateway.guards.settings import WrongSetting, checked
from tests.unit.gateway.guards.tenants_cast import an_engine_of, found, redacted

ENGINE = an_engine_of("links", settings={"hosts": ["acme.example", "*.cdn.example", "bücher.example"]})

ALLOWED = [
    "see https://acme.example/x.",
    "HTTPS://ACME.EXAMPLE./a",
    "https://acme.example:8443/x?y=1#z",
    "https://a.b.cdn.example/pic.png",
    "https://bücher.example and https://xn--bcher-kva.example/",
    "**https://acme.example**",
    "[docs](https://acme.example/docs)",
    "and/or // a remark, data: the value, file: report, 10:30, c://",
]


@pytest.mark.parametrize("text", ALLOWED)
def test_what_is_allowed_is_left(text: str) -> None:
    assert found(ENGINE, text) == []


ELSEWHERE = {
    "another host": "https://evil.example/",
    "below the allowed": "https://x.acme.example/",
    "the parent of what is allowed": "https://cdn.example/",
    "a user before": "https://acme.example@evil.example/",
    "a user and a password": "https://acme.example:80@evil.example/",
    "a backslash": "https://evil.example\\@acme.example/",
    "backslashes for slashes": "https:\\\\evil.example",
    "one slash": "https:/evil.example/x",
    "a look-alike letter": "https://аcme.example/",
    "a percent sign": "https://acme.example%2eevil.example/",
    "longer than can be held": "https://" + "a" * 70 + ".acme.example/",
    "no scheme": "www.evil.example/x",
    "the scheme of the page": "[x](//evil.example/x)",
    "an end that looks allowed": "https://evilacme.example/",
    "a port of another": "https://evil.example:443",
    "an address": "http://10.0.0.1/x",
    "another scheme": "ftp://evil.example/x",
}


@pytest.mark.parametrize("how", ELSEWHERE)
def test_what_leads_elsewhere_is_found_whole(how: str) -> None:
    text = ELSEWHERE[how]
    output = redacted(ENGINE, f"see {text} there")
    assert "[LINK]" in output
    assert "evil" not in output
    assert output.endswith(" there")


@pytest.mark.parametrize(
    "text",
    [
        "![x](https://evil.example/p.png?q=secret)",
        "![](//evil.example/p)",
        '<img alt="x" src="https://evil.example/p">',
        "background: url(https://evil.example/p)",
    ],
)
def test_images_are_a_rule_of_their_own(text: str) -> None:
    engine = an_engine_of("links", rules=frozenset({"image"}))
    assert [rule for rule, _ in found(engine, text)] == ["image"]
    assert found(engine, "[x](https://evil.example/p)") == []


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html;base64,AAAA", "JavaScript:x", "vbscript:x"])
def test_addresses_that_run_are_found_where_they_are_linked(address: str) -> None:
    assert [rule for rule, _ in found(ENGINE, f"[x]({address}")] == ["unsafe_address"]
    assert [rule for rule, _ in found(ENGINE, f'<a href="{address}"')] == ["unsafe_address"]


def test_without_hosts_all_links_are_found() -> None:
    assert [rule for rule, _ in found(an_engine_of("links"), "https://acme.example")] == ["link"]


@pytest.mark.parametrize("host", ["https://acme.example", "acme.example/x", "a b", "*", "x@y", "acme.*"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(WrongSetting, match="is not a host"):
        checked(GUARD, {"hosts": [host]})


def test_hosts_are_taken_as_people_write_them() -> None:
    assert checked(GUARD, {"hosts": ["acme.example", "*.acme.example", "Bücher.example"]})
    assert host_of("BÜCHER.example.") == "xn--bcher-kva.example"
