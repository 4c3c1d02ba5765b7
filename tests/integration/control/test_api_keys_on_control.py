"""API keys on the control plane: the rules of the data plane, and one answer for every key that does not work."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.actions import applications, keys, tenants
from accounts.models import ApiKey
from tests.factories import THE_SYSTEM, a_key

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PATH = "/api/notices/?purpose=training"


@pytest.fixture(autouse=True)
def _nobody_failed_yet() -> None:
    cache.clear()


def asked(text: str, **headers: str) -> Any:
    return Client().get(PATH, headers={"Authorization": f"Bearer {text}", **headers})


def test_it_works() -> None:
    _, text = a_key(scopes=["consents"])
    assert asked(text).status_code == 200
    assert Client().get(PATH, headers={"X-API-Key": text}).status_code == 200


def test_a_key_without_the_scope_is_told_so() -> None:
    answer = asked(a_key()[1])
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "permission_denied"
    assert "'consents'" in answer.json()["error"]["message"]


def expire(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


BROKEN: dict[str, Callable[[ApiKey], object]] = {
    "suspended": lambda key: keys.suspend(key=key, by=THE_SYSTEM),
    "revoked": lambda key: keys.revoke(key=key, by=THE_SYSTEM),
    "expired": expire,
    "application": lambda key: applications.suspend(application=key.application, by=THE_SYSTEM),
    "tenant": lambda key: tenants.suspend(tenant=key.tenant, by=THE_SYSTEM),
    "closed": lambda key: tenants.close(tenant=key.tenant, by=THE_SYSTEM),
    "other environment": lambda key: ApiKey.objects.filter(pk=key.pk).update(environment="production"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_every_key_that_does_not_work_gets_one_answer(broken: str) -> None:
    key, text = a_key(scopes=["consents"])
    BROKEN[broken](key)
    answer, unknown = asked(text), asked("pcl_nonsense")
    assert answer.status_code == unknown.status_code == 401
    assert answer.content == unknown.content
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_another_secret_of_a_known_key_does_not_work() -> None:
    _, text = a_key(scopes=["consents"])
    _, other = a_key(scopes=["consents"])
    ApiKey.objects.filter(public_id=text.split("_")[2]).update(digest=b"x" * 32)
    assert asked(text).status_code == 401
    assert asked(other).status_code == 200


def test_a_key_works_from_its_networks_only() -> None:
    _, text = a_key(scopes=["consents"], allowed_networks=["10.0.0.0/8"])
    answer = asked(text)
    assert answer.status_code == 403
    assert "network" in answer.json()["error"]["message"]
    assert Client(REMOTE_ADDR="10.1.2.3").get(PATH, headers={"X-API-Key": text}).status_code == 200


def test_a_key_may_write_so_often_and_read_and_withdraw_as_often_as_it_likes(settings: LazySettings) -> None:
    settings.API_WRITES_PER_MINUTE = 2
    key, text = a_key(scopes=["consents"])
    _, other = a_key(tenant=key.tenant, scopes=["consents"])

    def write(text: str, path: str = "/api/consents/") -> Any:
        return Client().post(path, "{}", content_type="application/json", headers={"X-API-Key": text})

    answers = [write(text) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert int(answers[-1]["Retry-After"]) >= 1
    error = answers[-1].json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_exceeded")
    assert "2 times a minute" in error["message"]
    assert asked(text).status_code == 200
    assert write(text, "/api/consents/withdraw").status_code == 400
    assert write(other).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/subject-requests/"),
        ("post", f"/api/subject-requests/{uuid.UUID(int=7)}/verify"),
        ("post", f"/api/subject-requests/{uuid.UUID(int=7)}/code"),
        ("delete", "/api/subjects/ada"),
    ],
)
def test_whatever_else_writes_is_limited_too(settings: LazySettings, method: str, path: str) -> None:
    settings.API_WRITES_PER_MINUTE = 1
    _, text = a_key(scopes=["subjects"])
    client = Client(headers={"X-API-Key": text})
    answers = [client.generic(method.upper(), path, "{}", content_type="application/json") for _ in range(2)]
    assert answers[0].status_code in (400, 404)
    assert answers[1].status_code == 429


def test_wrong_keys_are_limited_by_address_and_right_ones_are_not(settings: LazySettings) -> None:
    settings.FAILED_KEYS_PER_MINUTE = 3
    _, text = a_key(scopes=["consents"])
    answers = [asked("wrong") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"
    assert asked(text).status_code == 200
    assert Client(REMOTE_ADDR="10.9.9.9").get(PATH, headers={"X-API-Key": "wrong"}).status_code == 401
