"""The text form of API keys."""

import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import tokens

PEPPERS = {1: b"a" * 32, 2: b"b" * 32}


@pytest.mark.parametrize("environment", tokens.ENVIRONMENTS)
def test_it_works(environment: str) -> None:
    token = tokens.generate(environment)
    assert tokens.parse(token.text) == token
    assert token.environment == environment
    assert token.text.startswith(f"pcl_{environment}_{token.public_id}_")


def test_the_secret_carries_256_bits() -> None:
    assert 62**43 > 2**256 > 62**42
    secrets = {tokens.generate("dev").text.split("_")[3] for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(secret) == 43 for secret in secrets)


@given(st.integers(0, 70), st.sampled_from(string.ascii_letters + string.digits + "_-é\x00"))
def test_any_one_changed_character_is_noticed(position: int, character: str) -> None:
    text = tokens.generate("dev").text
    position %= len(text)
    changed = text[:position] + character + text[position + 1 :]
    assert changed == text or tokens.parse(changed) is None


@given(st.text(max_size=200))
def test_any_other_text_is_no_key(text: str) -> None:
    assert tokens.parse(text) is None


def test_a_key_matches_its_own_digest_only() -> None:
    mine, other = tokens.generate("dev").text, tokens.generate("dev").text
    stored = tokens.digest(mine, pepper=PEPPERS[2])
    assert tokens.matches(mine, stored=stored, version=2, peppers=PEPPERS)
    assert not tokens.matches(other, stored=stored, version=2, peppers=PEPPERS)
    assert not tokens.matches(mine, stored=stored, version=1, peppers=PEPPERS)
    assert not tokens.matches(mine, stored=stored, version=3, peppers=PEPPERS)


def test_what_was_issued_and_stored_once_is_recognised_for_ever() -> None:
    """Keys are out there and their digests in databases: neither form may change."""
    text = "pcl_staging_0123456789ab_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg_1zHlhK"
    assert tokens.parse(text) is not None
    for pepper in PEPPERS.values():
        for _ in range(2):
            assert tokens.digest(text, pepper=pepper) == hmac.digest(pepper, text.encode(), "sha256")


def test_the_secret_does_not_show() -> None:
    token = tokens.generate("production")
    shown = repr(token) + tokens.masked(
        environment=token.environment, public_id=token.public_id, last_four=token.last_four
    )
    assert token.text.split("_")[3] not in shown
    assert token.text.split("_")[3].endswith(token.last_four)
