"""Random text is told from words, and values from what stands for them."""

import pytest

from benchmarks.guards_bench.secrets_data import Maker
from gateway.guards.secrets.letters import is_in_order, oddness
from gateway.guards.secrets.values import is_figures, is_written, stands_for_one


@pytest.mark.parametrize("text", ["user_name", "getAccessToken", "required", "invalid-credentials", "Contrasena"])
def test_names_and_words_are_not_odd(text: str) -> None:
    assert oddness(text) < 0.2


@pytest.mark.parametrize("seed", range(5))
def test_random_text_is_odd(seed: int) -> None:
    maker = Maker(seed)
    assert oddness(maker.of("abcdefghijklmnopqrstuvwxyz", 20)) > 0.3
    assert oddness(maker.of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 24)) > 0.3


@pytest.mark.parametrize("text", ["x01234567", "AbcdefghZ", "lmnopqrs", "qwertyuio"])
def test_runs_of_the_alphabet_are_in_order(text: str) -> None:
    assert is_in_order(text)


@pytest.mark.parametrize("text", ["0123456", "abcdefg", "", "a1b2c3d4e5"])
def test_short_runs_are_not(text: str) -> None:
    assert not is_in_order(text)


@pytest.mark.parametrize(
    "value",
    [
        "<token>", "${TOKEN}", "{{ token }}", "$TOKEN", "%(token)s", "process.env.TOKEN", "get_token()",
        "/run/secrets/db",
        "https://acme.example/x", "changeme", "your-api-key", "xxxxxxxx", "********", "my_secret_token", "TOKEN_OF_APP",
        "string", "None", "aaaaaaaa", "[REDACTED]", "vault:secret/app", "id_rsa.pem", "0123456789",
    ],
)  # fmt: skip
def test_what_stands_for_a_secret(value: str) -> None:
    assert stands_for_one(value)


@pytest.mark.parametrize("value", ["Zx81kk2p", "hunter2!", "a8f3c2e19b7d4f60", "W1nter.2024", "Tr0ub4dor&3"])
def test_what_may_be_one(value: str) -> None:
    assert not stands_for_one(value)


@pytest.mark.parametrize("value", ["12", "2024-01-31", "12:30:00", "v1.2.3", "1,000.50", "10GB", "50%"])
def test_figures(value: str) -> None:
    assert is_figures(value)


def test_what_was_taken_for_encoded_and_was_none_is_not_written() -> None:
    assert is_written("пароль1")
    assert not is_written("\x8f\xe2§\x01abc")


def test_a_long_value_is_looked_at_once_whatever_it_ends_with() -> None:
    assert not is_written("a" * 60 + "\x01")
