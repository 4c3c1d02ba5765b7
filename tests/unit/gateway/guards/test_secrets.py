"""Secrets are found by their form and by the words beside them; what only stands for one is left."""

import string
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import tokens
from benchmarks.guards_bench.secrets_data import Maker, near_misses, secrets
from gateway.guards.base import CORE_MOST, Rule
from gateway.guards.secrets import rules
from tests.unit.gateway.guards.tenants_cast import an_engine_of, found, redacted

ENGINE = an_engine_of("secrets")
PASSWORD = "Zx81" + "kk2p"  # in parts, so that nobody takes this file for a leak
KEY = "a8f3" + "c2e19b7d4f60" + "9c1d"

ASSIGNED = {
    "env": ("DB_PASSWORD={}", PASSWORD),
    "env in quotes": ("DB_PASSWORD='{}'", PASSWORD),
    "yaml": ("db:\n  password: {}\n", PASSWORD),
    "json": ('{{"password": "{}"}}', PASSWORD),
    "json in json": ('{{\\"password\\": \\"{}\\"}}', PASSWORD),
    "python with a type": ('password: str = "{}"', PASSWORD),
    "go": ('dbPassword := "{}"', PASSWORD),
    "hash rocket": ("'password' => '{}'", PASSWORD),
    "xml": ("<password>{}</password>", PASSWORD),
    "attributes": ('<add key="Password" value="{}"/>', PASSWORD),
    "setter": ('setPassword("{}")', PASSWORD),
    "pair": ('setdefault("DB_PASSWORD", "{}")', PASSWORD),
    "option": ("mysql -u root --password {} shop", PASSWORD),
    "sql": ("CREATE USER app IDENTIFIED BY '{}'", PASSWORD),
    "sentence": ("my password is {} but I cannot log in", PASSWORD),
    "longer sentence": ("the password for the staging database is {}", PASSWORD),
    "connection": ("postgres://app:{}@db.acme.internal/main", PASSWORD),
    "curl": ("curl -u admin:{} https://acme.example", PASSWORD),
    "german": ("Passwort: {}", PASSWORD),
    "russian": ("пароль: {}", PASSWORD),
    "korean": ("비밀번호:{}", PASSWORD),
    "chinese": ("密码：{}", PASSWORD),
    "french": ("mot de passe : {}", PASSWORD),
    "key": ('api_key = "{}"', KEY),
    "header": ("X-Api-Key: {}", KEY),
    "bearer": ("Authorization: Bearer {}", KEY),
    "query": ("https://acme.example/v1?token={}&page=2", KEY),
    "key in a sentence": ("my API key is {}, why 401?", KEY),
}


@pytest.mark.parametrize("form", ASSIGNED)
def test_of_what_stands_beside_its_word_the_value_is_found_alone(form: str) -> None:
    template, value = ASSIGNED[form]
    text = template.format(value)
    assert [value_found for _, value_found in found(ENGINE, text)] == [value]


NONE = {
    "placeholder": "password = <YOUR_PASSWORD>",
    "variable": "password=${DB_PASSWORD}",
    "call": "password = get_password()",
    "environment": 'api_key = os.environ["API_KEY"]',
    "type": "token: str",
    "policy": "Your password must have 12 characters and 1 digit.",
    "state": "the password is incorrect",
    "mask": 'password = "********"',
    "translation": '"password": "Contraseña"',
    "digest": "commit 3f2a9c8b7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a",
    "identifier": "request 550e8400-e29b-41d4-a716-446655440000",
    "public key": "pk_live_" + "Zx81kk2pQw7mNb3cVt5yHg9j",
    "example of AWS": "AKIAIOSFODNN7EXAMPLE",
    "example of GitHub": "ghp_" + "x" * 36,
    "only BEGIN": "What does -----BEGIN PRIVATE KEY----- mean?",
    "certificate": "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----",
    "length": "PASSWORD_MIN_LENGTH = 12",
    "where tokens come from": "token_url = https://acme.example/oauth2/v1/token",
    "index": "const token = tokens[i + 1];",
    "host": "postgresql://${USER}:${PASS}@db/app",
}


@pytest.mark.parametrize("what", NONE)
def test_what_only_stands_for_a_secret_is_left(what: str) -> None:
    assert found(ENGINE, NONE[what]) == []


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(tokens.ENVIRONMENTS))
def test_own_keys_are_always_found(before: str, after: str, environment: str) -> None:
    key = tokens.generate(environment).text
    output = redacted(ENGINE, f"{before} {key} {after}")
    assert key not in output
    assert "[GATEWAY_KEY]" in output


def test_a_private_key_ends_where_it_says_so() -> None:
    key = Maker(5).private_key()
    assert redacted(ENGINE, f"Here:\n{key}\nPlease fix it") == "Here:\n[PRIVATE_KEY]\nPlease fix it"


def test_nothing_of_a_long_token_is_left() -> None:
    token = "sk-ant-" + "api03-" + Maker(6).of(string.ascii_letters + string.digits, 400)
    assert redacted(ENGINE, f"use {token} now") == "use [ANTHROPIC_KEY] now"


def test_what_is_found_can_be_chosen() -> None:
    engine = an_engine_of("secrets", rules=frozenset({"jwt"}))
    token = Maker(7).jwt()
    assert redacted(engine, f"password={PASSWORD} {token}") == f"password={PASSWORD} [JWT]"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.name}-{len(rule.pattern)}")
def test_a_rule_decides_within_its_bounds(rule: Rule) -> None:
    pattern = import_module("re._parser").parse(rule.pattern)
    least, most = pattern.getwidth()
    assert 0 < least <= most <= CORE_MOST


def test_of_labelled_texts_most_secrets_are_found() -> None:
    made = list(secrets(seed=31, each=60))
    missed = [
        sample.kind
        for sample in made
        if not any(
            sample.text[slice(*sample.spans[0])].startswith(value[:8]) for _, value in found(ENGINE, sample.text)
        )
    ]
    assert len(missed) <= len(made) * 0.1, missed


def test_of_near_misses_hardly_any_is_taken_for_one() -> None:
    made = list(near_misses(seed=32, each=30))
    taken = [sample for sample in made if found(ENGINE, sample.text)]
    assert len(taken) <= len(made) * 0.02, taken
