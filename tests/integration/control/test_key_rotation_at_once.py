"""Rotations and claims by several at the same time: each happens once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from accounts import claims
from accounts.actions import rotations
from accounts.errors import AccountsError
from accounts.models import RetiringSecret, SecretClaim
from tests.factories import THE_SYSTEM, a_key

pytestmark = pytest.mark.usefixtures("databases")

AT_ONCE = 4


def at_once(call: Callable[[], Any]) -> list[Any]:
    """What the calls return, or how they were refused; each in a thread of its own, begun together."""
    begin = threading.Barrier(AT_ONCE)

    def run(_: int) -> Any:
        try:
            begin.wait()
            return call()
        except AccountsError as error:
            return type(error).__name__
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def test_of_several_with_one_link_one_gets_the_secret() -> None:
    key, _ = a_key()
    link = claims.url_of(rotations.rotate(key=key, by=THE_SYSTEM).pk).rpartition("/")[2]
    answers = at_once(lambda: rotations.claim(token=link, by=THE_SYSTEM)[1])
    assert sorted(each == "LinkOver" for each in answers) == [False, True, True, True]


def test_of_several_rotations_one_happens() -> None:
    key, _ = a_key()
    answers = at_once(lambda: rotations.rotate(key=key, by=THE_SYSTEM).pk)
    assert answers.count("SecretWaits") == AT_ONCE - 1
    assert RetiringSecret.objects.filter(key=key).count() == SecretClaim.objects.filter(key=key).count() == 1


def test_a_claim_and_a_newer_link_exclude_each_other() -> None:
    key, _ = a_key()
    link = claims.url_of(rotations.rotate(key=key, by=THE_SYSTEM).pk).rpartition("/")[2]
    calls: list[Callable[[], Any]] = [
        lambda: rotations.claim(token=link, by=THE_SYSTEM),
        lambda: rotations.renew_link(key=key, by=THE_SYSTEM),
    ]
    turns = iter(calls * 2)
    at_once(lambda: next(turns)())
    states = list(SecretClaim.objects.filter(key=key).order_by("id").values_list("state", flat=True))
    assert states in (["claimed"], ["replaced", "waiting"], ["replaced", "replaced", "waiting"])
