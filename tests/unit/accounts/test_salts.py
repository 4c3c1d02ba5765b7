"""Salts at rest: of no use without the root key."""

import pytest
from pytest_django.fixtures import Settings

from accounts import salts
from accounts.models import Tenant
from compliance.errors import DecryptionFailed


def test_it_works() -> None:
    sealed = salts.seal(b"salt" * 8)
    assert salts.unseal(memoryview(sealed)) == b"salt" * 8
    assert b"salt" not in sealed


def test_each_tenant_has_a_salt_of_its_own() -> None:
    one, other = (salts.unseal(Tenant().pseudonym_salt) for _ in range(2))
    assert one != other
    assert len(one) == len(other) == 32


def test_without_the_root_key_it_cannot_be_read(settings: Settings) -> None:
    sealed = Tenant().pseudonym_salt
    settings.ROOT_KEYS = {1: b"x" * 32}
    with pytest.raises(DecryptionFailed):
        salts.unseal(sealed)
