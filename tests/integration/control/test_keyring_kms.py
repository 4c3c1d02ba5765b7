"""Root keys in AWS KMS, which moto plays in this process."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from compliance import crypto, signing
from compliance.actions import keys, rotations
from compliance.errors import DecryptionFailed, KeyStoreUnavailable
from compliance.keyring import kms, store, usage
from compliance.keyring.kms import KmsRootKeys
from gateway import credentials
from tests.factories import THE_SYSTEM, a_provider, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

REGION = "eu-central-1"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        kms._client.cache_clear()
        yield boto3.client("kms", region_name=REGION)
    kms._client.cache_clear()
    store.forget()


@pytest.fixture
def key(aws: Any) -> str:
    return a_kms_key(aws)


def test_it_works(key: str) -> None:
    roots = KmsRootKeys({2: key})
    wrapped = roots.wrap(b"k" * 32, context="tenant-key/1/1")
    assert b"k" * 32 not in wrapped
    assert crypto.key_version(wrapped) == 2
    assert roots.unwrap(wrapped, context="tenant-key/1/1") == b"k" * 32


def test_a_value_opens_in_its_own_place_only(key: str) -> None:
    roots = KmsRootKeys({2: key})
    with pytest.raises(DecryptionFailed):
        roots.unwrap(roots.wrap(b"k" * 32, context="tenant-key/1/1"), context="tenant-key/2/1")


def test_an_altered_value_does_not_open(key: str) -> None:
    roots = KmsRootKeys({2: key})
    wrapped = bytearray(roots.wrap(b"k" * 32, context="a"))
    wrapped[-1] ^= 1
    with pytest.raises(DecryptionFailed):
        roots.unwrap(bytes(wrapped), context="a")


@pytest.mark.parametrize("wrapped", [b"\2\0\7blob", b"\1\0\2blob", b""], ids=["version", "layout", "nothing"])
def test_what_no_key_here_made_does_not_open(key: str, wrapped: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        KmsRootKeys({2: key}).unwrap(wrapped, context="a")


def test_the_newest_key_wraps_and_older_ones_open_still(aws: Any, key: str) -> None:
    before = KmsRootKeys({2: key}).wrap(b"v", context="a")
    both = KmsRootKeys({2: key, 3: a_kms_key(aws)})
    assert both.unwrap(before, context="a") == b"v"
    assert crypto.key_version(both.wrap(b"v", context="a")) == 3


def test_a_key_that_is_not_there_and_a_kms_that_is_away_are_told_from_a_wrong_key(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = KmsRootKeys({2: key})
    with pytest.raises(KeyStoreUnavailable, match="KMS refuses to encrypt: NotFoundException"):
        KmsRootKeys({2: "alias/nobody"}).wrap(b"v", context="a")

    def away(**arguments: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://kms.example")

    monkeypatch.setattr(kms._client(), "decrypt", away)
    with pytest.raises(KeyStoreUnavailable, match="does not answer"):
        roots.unwrap(b"\2\0\2blob", context="a")


def test_keys_of_people_live_under_a_key_in_kms(key: str, settings: Any) -> None:
    settings.ROOT_KEY_PROVIDER, settings.KMS_KEYS, settings.ROOT_KEYS = "kms", {2: key}, {}
    acme = a_tenant().pk
    made = keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice", "eu_bob"])
    store.forget()
    assert store.subject_keys(acme, ["eu_alice", "eu_bob"]) == made
    assert signing.verify(signing.sign({}, kind="receipt"), public=signing.public_keys())
    assert credentials.credential_of(a_provider("https://up.example", credential="sk-1")) == "sk-1"


def test_an_installation_moves_from_its_own_root_keys_to_kms(key: str, settings: Any) -> None:
    acme, provider = a_tenant().pk, a_provider("https://up.example", credential="sk-1")
    made = keys.make_subject_keys(tenant_id=acme, surrogates=["eu_alice"])
    settings.ROOT_KEY_PROVIDER, settings.KMS_KEYS = "kms", {2: key}
    assert store.subject_keys(acme, ["eu_alice"]) == made
    rotations.rewrap_root(by=THE_SYSTEM)
    assert set(usage.of_root_keys()) == {2}
    rotations.retire_root_key(version=1, by=THE_SYSTEM)
    settings.ROOT_KEYS = {}
    store.forget()
    assert store.subject_keys(acme, ["eu_alice"]) == made
    provider.refresh_from_db()
    assert credentials.credential_of(provider) == "sk-1"


def test_small_secrets_stay_readable_while_kms_is_away(
    key: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_KEY_PROVIDER, settings.KMS_KEYS = "kms", {2: key}
    provider = a_provider("https://up.example", credential="sk-1")
    assert credentials.credential_of(provider) == "sk-1"

    def away(**arguments: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://kms.example")

    monkeypatch.setattr(kms._client(), "decrypt", away)
    assert credentials.credential_of(provider) == "sk-1"
    with pytest.raises(KeyStoreUnavailable):
        credentials.credential_of(a_provider("https://up.example", credential="sk-2"))


def a_kms_key(aws: Any) -> str:
    return str(aws.create_key()["KeyMetadata"]["Arn"])
