"""Providers' credentials that are kept elsewhere: read from there, tested, and fenced in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from compliance import announcing
from compliance.errors import ActionRefused
from gateway import credential_sources, credentials
from gateway.actions import credentials as actions
from gateway.credential_sources import SourceUnreadable
from gateway.models import CredentialSource, Provider
from tests.factories import THE_SYSTEM, a_provider
from tests.factories.upstreams import Listing, answering

pytestmark = pytest.mark.django_db

OLD, NEW = "sk-the-old-one-aaaa", "sk-the-new-one-zzzz"
VARIABLE = "PROVIDER_CREDENTIAL_UPSTREAM"


@pytest.fixture
def upstream() -> Iterator[Listing]:
    with answering({OLD: 200, NEW: 200}) as listing:
        yield listing


@pytest.fixture
def provider(upstream: Listing, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """One whose credential comes from a variable, which holds what is in use."""
    row = a_provider(upstream.url, credential=OLD)
    monkeypatch.setenv(VARIABLE, OLD)
    actions.draw_from(provider=row, kind="environment", reference=VARIABLE, by=THE_SYSTEM)
    return row


def states(provider: Provider) -> dict[int, str]:
    return dict(provider.credentials.order_by("version").values_list("version", "state"))


def test_a_changed_value_is_tested_and_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    assert actions.look_at_all(by=THE_SYSTEM) == 0
    monkeypatch.setenv(VARIABLE, NEW)
    assert actions.look_at_all(by=THE_SYSTEM) == 1
    assert credentials.credential_of(provider) == NEW
    assert actions.look_at_all(by=THE_SYSTEM) == 0
    assert states(provider) == {1: "retired", 2: "current"}


def test_a_value_that_was_refused_is_not_tested_over_and_over(
    provider: Provider, upstream: Listing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "sk-a-wrong-one-xxxx")
    for _ in range(3):
        actions.look_at_all(by=THE_SYSTEM)
    assert len(upstream.asked) == 1
    assert states(provider) == {1: "current", 2: "refused"}


def test_a_rollback_is_not_undone_by_the_next_look(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, NEW)
    actions.look_at_all(by=THE_SYSTEM)
    actions.roll_back(credential=provider.credentials.get(version=1), by=THE_SYSTEM, reason="refusals")
    provider.credentials.filter(version=2).update(ended_at="2020-01-01T00:00:00Z")
    assert actions.destroy_old(by=THE_SYSTEM) == 0  # or nobody would know any more that it is nothing new
    actions.look_at_all(by=THE_SYSTEM)
    assert credentials.credential_of(provider) == OLD


def test_what_cannot_be_read_changes_nothing_and_is_told(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    told: list[Any] = []
    monkeypatch.setattr(announcing, "announce", told.append)
    for _ in range(actions.TOLD_AFTER):
        assert told == []
        actions.look_at_all(by=THE_SYSTEM)
    assert [each.kind for each in told] == ["credential_rotation_failed"]
    assert credentials.credential_of(provider) == OLD
    assert VARIABLE in CredentialSource.objects.get(provider=provider).problem


def test_what_is_kept_elsewhere_is_not_replaced_here(provider: Provider) -> None:
    with pytest.raises(ActionRefused, match="comes from"):
        actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM)
    actions.draw_from(provider=provider, kind="typed", reference="", by=THE_SYSTEM)
    assert actions.replace(provider=provider, credential=NEW, by=THE_SYSTEM).state == "current"


def test_files_are_read_inside_their_folder(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    settings.CREDENTIAL_FILES_DIR = str(folder)
    (folder / "openai").write_text(NEW + "\n")
    (folder / "openai").chmod(0o600)
    (folder / "..data").symlink_to("openai")
    assert credential_sources.read("file", "openai") == NEW
    assert credential_sources.read("file", "..data") == NEW
    (folder / "openai").chmod(0o644)
    with pytest.raises(SourceUnreadable, match="chmod"):
        credential_sources.read("file", "openai")


def test_nothing_else_can_be_read_through_a_file(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    settings.CREDENTIAL_FILES_DIR = str(folder)
    outside = tmp_path / "secrets.json"
    outside.write_text("x")
    outside.chmod(0o600)
    (folder / "way-out").symlink_to(outside)
    for reference in ("../secrets.json", str(outside), "way-out", "", ".", "a\0b"):
        with pytest.raises(SourceUnreadable):
            credential_sources.read("file", reference)


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("environment", "ROOT_KEYS"),
        ("environment", "SECRET_KEY"),
        ("environment", "PROVIDER_CREDENTIAL_X\n"),
        ("aws", "production/database"),
        ("aws", "arn:aws:secretsmanager:eu-central-1:1:secret:portcullis/x"),
        ("vault", "../sys/raw#x"),
        ("vault", "a/../../b#x"),
        ("vault", "openai"),
        ("typed", ""),
        ("nonsense", "x"),
    ],
)
def test_nothing_is_read_outside_of_the_fences(kind: str, reference: str) -> None:
    provider = a_provider("http://127.0.0.1:9/v1")
    with pytest.raises(SourceUnreadable):
        credential_sources.read(kind, reference)
    if kind != "typed":
        with pytest.raises(SourceUnreadable):
            actions.draw_from(provider=provider, kind=kind, reference=reference, by=THE_SYSTEM)
    assert not CredentialSource.objects.exists()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """AWS Secrets Manager, played by moto in this process."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_aws_secrets_manager(aws: Any, upstream: Listing) -> None:
    aws.create_secret(Name="portcullis/upstream", SecretString=json.dumps({"api_key": OLD, "other": 1}))
    provider = a_provider(upstream.url)
    actions.draw_from(provider=provider, kind="aws", reference="portcullis/upstream#api_key", by=THE_SYSTEM)
    assert actions.look_at_all(by=THE_SYSTEM) == 1
    assert credentials.credential_of(provider) == OLD
    aws.put_secret_value(SecretId="portcullis/upstream", SecretString=json.dumps({"api_key": NEW}))
    assert actions.look_at_all(by=THE_SYSTEM) == 1
    assert credentials.credential_of(provider) == NEW
    for reference in ("portcullis/upstream#other", "portcullis/nothing", "portcullis/upstream#nothing"):
        with pytest.raises(SourceUnreadable):
            credential_sources.read("aws", reference)


def test_vault(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({}, otherwise=200) as vault:
        settings.CREDENTIAL_VAULT_URL = vault.url.removesuffix("/v1")
        monkeypatch.setenv("VAULT_TOKEN", "hvs.tests")
        vault.bodies["/v1/secret/data/portcullis/upstream"] = json.dumps(
            {"data": {"data": {"api_key": NEW}, "metadata": {"version": 2}}}
        ).encode()
        assert credential_sources.read("vault", "upstream#api_key") == NEW
        assert vault.headers[-1]["x-vault-token"] == "hvs.tests"
        with pytest.raises(SourceUnreadable, match="no such field"):
            credential_sources.read("vault", "upstream#other")
        vault.otherwise = 403
        with pytest.raises(SourceUnreadable, match="403"):
            credential_sources.read("vault", "upstream#api_key")
    with pytest.raises(SourceUnreadable, match="cannot be reached"):
        credential_sources.read("vault", "upstream#api_key")
