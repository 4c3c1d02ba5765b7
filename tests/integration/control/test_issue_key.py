"""`manage.py issue_key`."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError
from django.utils import timezone

from accounts import tokens
from accounts.actions import keys, tenants
from accounts.models import ApiKey, Application
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, an_application

pytestmark = pytest.mark.django_db


def test_it_works() -> None:
    application = an_application()
    secret, remark = issue(application)
    token = tokens.parse(secret.removesuffix("\n"))
    assert token
    key = ApiKey.objects.get(public_id=token.public_id)
    assert (key.application, key.environment, key.scopes) == (application, "dev", ["chat", "models"])
    assert key.masked in remark
    assert token.text not in remark


def test_the_command_is_named_in_the_audit_log() -> None:
    issue(an_application())
    event = AuditEvent.objects.filter(action="apikey.created")[0]
    assert (event.actor_kind, event.actor_id) == ("command", "issue_key")


def test_every_restriction_can_be_given() -> None:
    restrictions = {"scope": ["chat"], "model": ["gpt-4o", "o3"], "network": ["10.0.0.0/8"], "expires_in_days": 90}
    issue(an_application(), **restrictions)
    key = ApiKey.objects.latest("created_at")
    assert (key.scopes, key.allowed_models, key.allowed_networks) == (["chat"], ["gpt-4o", "o3"], ["10.0.0.0/8"])
    assert key.expires_at
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"application": "acme/nothing"}, "no application 'acme/nothing'", id="unknown application"),
        pytest.param({"application": "acme"}, "no application 'acme'", id="no application named"),
        pytest.param({"network": ["10.0.0.0/99"]}, "is not a network", id="no network"),
        pytest.param({"expires_in_days": 0}, "lies in the past", id="expired at once"),
        pytest.param({"name": ""}, "cannot be blank", id="no name"),
    ],
)
def test_nonsense_is_refused_in_words(options: dict[str, Any], message: str) -> None:
    application = an_application()
    with pytest.raises(CommandError, match=message):
        issue(application, **options)
    assert not ApiKey.objects.filter(application=application).exists()


def test_an_unknown_application_is_answered_with_the_known_ones() -> None:
    application = an_application()
    with pytest.raises(CommandError, match=str(application)):
        issue(application, application="acme/nothing")


def test_a_suspended_tenant_gets_no_key() -> None:
    application = an_application()
    tenants.suspend(tenant=application.tenant, by=THE_SYSTEM)
    with pytest.raises(CommandError, match="resume it first"):
        issue(application)


def test_before_the_first_migration_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    application = an_application()

    def no_table(**_: Any) -> None:
        raise ProgrammingError('relation "accounts_application" does not exist')

    monkeypatch.setattr(keys, "issue", no_table)
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        issue(application)


def issue(application: Application, /, **options: Any) -> tuple[str, str]:
    """What the command writes to standard output and to standard error."""
    output, errors = StringIO(), StringIO()
    path = f"{application.tenant.slug}/{application.slug}"
    values = {"application": path, "name": "ci", "environment": "dev", **options}
    call_command("issue_key", stdout=output, stderr=errors, **values)
    return output.getvalue(), errors.getvalue()
