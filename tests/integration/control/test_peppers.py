"""Secrets move from one pepper to the next when they are used, and no pepper is called unused that something needs."""

import asyncio
import base64
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import known_secrets, peppers, tokens
from accounts.actions import keys, rotations
from accounts.actions import peppers as actions
from accounts.models import ApiKey, RetiringSecret
from compliance.models import AuditEvent, AuditTally
from gateway import compile
from gateway.rehashing import Rehashing
from tests.factories import THE_SYSTEM, a_key
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OLD, NEW = {1: b"o" * 32}, {1: b"o" * 32, 2: b"n" * 32}


@pytest.fixture(autouse=True)
def old(settings: Any) -> None:
    settings.KEY_PEPPERS = OLD


def works(text: str, *, under: dict[int, bytes]) -> bool:
    secret = known_secrets.find(text.split("_")[2])
    assert secret is not None
    return tokens.matches(text, stored=secret.digest, version=secret.pepper_version, peppers=under)


def moved(text: str, key: ApiKey | RetiringSecret) -> int:
    assert key.digest is not None
    secret = peppers.rehash_of(text, public_id=key.public_id, stored=bytes(key.digest))
    return actions.rehash(secrets=[secret], by=THE_SYSTEM)


def test_a_secret_moves_and_goes_on_working(settings: Any) -> None:
    key, text = a_key()
    settings.KEY_PEPPERS = NEW
    assert moved(text, key) == 1
    assert works(text, under=NEW)
    assert works(text, under={2: NEW[2]})
    assert not works(text, under=OLD)
    assert moved(text, ApiKey.objects.get(pk=key.pk)) == 0


def test_a_retiring_secret_moves_too(settings: Any) -> None:
    key, text = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    settings.KEY_PEPPERS = NEW
    assert moved(text, RetiringSecret.objects.get(key=key)) == 1
    assert works(text, under={2: NEW[2]})


def test_a_secret_that_was_replaced_meanwhile_stays_as_it_is(settings: Any) -> None:
    key, text = a_key()
    settings.KEY_PEPPERS = NEW
    secret = peppers.rehash_of(text, public_id=key.public_id, stored=b"x" * 32)
    assert actions.rehash(secrets=[secret], by=THE_SYSTEM) == 0
    assert works(text, under=OLD)


def test_moves_are_on_record_in_aggregate(settings: Any) -> None:
    issued = [a_key() for _ in range(3)]
    settings.KEY_PEPPERS = NEW
    for key, text in issued:
        moved(text, key)
    tally = AuditTally.objects.get(action="pepper.rehashed")
    assert (tally.count, tally.target_id) == (3, "2")


def test_the_gateway_moves_what_it_recognises(settings: Any) -> None:
    key, text = a_key()
    principal = compile.principal(key.public_id).value
    token = tokens.parse(text)
    assert principal is not None
    assert token is not None
    settings.KEY_PEPPERS = NEW
    batches: list[Any] = []

    async def move(secrets: Any) -> int:
        batches.append(secrets)
        return len(secrets)

    rehashing = Rehashing(move)
    rehashing.note(token, principal)
    rehashing.note(token, principal)
    asyncio.run(rehashing.flush())
    asyncio.run(rehashing.flush())
    assert [len(batch) for batch in batches] == [1]
    assert text not in repr(batches)
    assert actions.rehash(secrets=batches[0], by=THE_SYSTEM) == 1
    now = compile.principal(key.public_id).value
    assert now is not None
    rehashing.note(token, now)
    asyncio.run(rehashing.flush())
    assert len(batches) == 1


def test_a_key_that_only_the_control_plane_sees_moves_there(settings: Any) -> None:
    key, text = a_key(scopes=["consents"])
    settings.KEY_PEPPERS = NEW
    answer = Client().get("/api/notices/", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 400, "the key is recognised, and the request names no notice"
    assert ApiKey.objects.get(pk=key.pk).pepper_version == 2


def test_nothing_moves_before_every_process_has_the_new_one(settings: Any) -> None:
    settings.KEY_PEPPERS, settings.KEY_PEPPER_CURRENT = NEW, 1
    key, text = a_key()
    assert key.pepper_version == 1
    assert moved(text, key) == 0


def test_a_pepper_that_is_needed_is_not_retired(settings: Any) -> None:
    key, text = a_key()
    rotations.rotate(key=key, by=THE_SYSTEM)
    settings.KEY_PEPPERS = NEW
    key.refresh_from_db()
    with pytest.raises(CommandError, match="1 keys and 1 retiring secrets"):
        call_command("peppers", retire=1)
    with pytest.raises(CommandError, match="current"):
        call_command("peppers", retire=2)
    moved(text, RetiringSecret.objects.get(key=key))
    with pytest.raises(CommandError, match="1 keys and 0 retiring secrets"):
        call_command("peppers", retire=1)
    keys.revoke(key=key, by=THE_SYSTEM)
    call_command("peppers", retire=1)
    assert AuditEvent.objects.get(action="pepper.retired").target_id == "1"


def test_the_command_and_the_page_show_what_each_is_needed_for(settings: Any, client: Client) -> None:
    a_key()
    settings.KEY_PEPPERS = NEW
    a_key()
    shown = io.StringIO()
    call_command("peppers", stdout=shown)
    assert shown.getvalue().splitlines() == [
        "version 2: 1 keys, 0 retiring secrets, 0 revoked keys (current)",
        "version 1: 1 keys, 0 retiring secrets, 0 revoked keys (needed)",
    ]
    settings.KEY_PEPPERS = {2: NEW[2]}
    client.force_login(an_admin())
    page = client.get("/admin/peppers/").content.decode()
    assert "Missing" in page
    assert base64.b64encode(NEW[2]).decode() not in page


def test_the_page_is_for_those_who_may_see_keys(client: Client) -> None:
    client.force_login(an_admin(is_superuser=False))
    assert client.get("/admin/peppers/").status_code == 403
