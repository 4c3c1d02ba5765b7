"""What `manage.py check --deploy` warns of."""

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks

from config import checks


def test_it_works() -> None:
    ids = {message.id for message in run_checks(include_deployment_checks=True)}
    assert {"portcullis.W002", "portcullis.W003"} <= ids


def test_nothing_is_said_without_deploy() -> None:
    assert not any(str(message.id).startswith("portcullis.") for message in run_checks())


def test_each_generated_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "generated_secrets", lambda: {"SECRET_KEY", "ROOT_KEYS"})
    assert [warning.msg.split()[0] for warning in checks.generated()] == ["ROOT_KEYS", "SECRET_KEY"]


def test_an_installation_that_is_set_up_gets_no_warning(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "generated_secrets", lambda: set())
    settings.HTTPS_ONLY = True
    monkeypatch.delitem(settings.DATABASES["default"], "EMBEDDED")
    assert [*checks.generated(), *checks.embedded_database(), *checks.plain_http()] == []
