"""The refusal from memory is byte for byte what the pipeline would have answered."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from billing.contracts import MeterKind, MeterSet, MeterSpec
from gateway import hammering
from gateway.hammering import Spent, over_rate
from gateway.http import answers, hammered, headers
from gateway.http.answers import JSON
from gateway.http.base import Front
from gateway.ledger import Standing
from gateway.metrics import Metrics
from gateway.principal import Principal
from gateway.refusals import Refusals


def a_spent_rate(label: str = "requests per minute") -> Spent:
    meter = MeterSpec(tenant_id=1, name="rpm", label=label, kind=MeterKind.REQUESTS, limit=1)
    principal = cast(Principal, SimpleNamespace(tenant_id=1, application_id=1, key_id=1, environment="dev"))
    standing = Standing(MeterSet((meter,)), meter, 60_000, (0,), (60_000,))
    return Spent(principal, meter, standing, free_at=0.0, forget_at=0.0)


def a_front() -> Front:
    plane: Any = SimpleNamespace(metrics=Metrics(), refusals=Refusals(cast(Any, None)))
    return Front(plane=plane, request_id="id", address="127.0.0.1")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What a spent rate says of its wait, one after the other."""
    said: list[int] = []
    monkeypatch.setattr(hammering.Spent, "wait_ms", lambda _: said.pop(0))
    return said


@pytest.mark.parametrize("label", ["requests per minute", 'requests "per" minüte', "Retry in 0.000 s. 0.000"])
def test_whatever_the_wait(label: str, waits: list[int]) -> None:
    spent, front = a_spent_rate(label), a_front()
    for wait_ms in (1, 999, 1000, 1001, 59_999, 60_000, 60_001, 3_600_000, 10**9):
        waits.append(wait_ms)
        shared = {**JSON, "openai-processing-ms": "0", **headers.of_standing(spent.standing)}
        assert hammered.answer(spent, front) == answers.refused(over_rate(spent.meter, wait_ms=wait_ms), shared)


def test_each_answer_has_headers_of_its_own(waits: list[int]) -> None:
    spent, front = a_spent_rate(), a_front()
    waits.extend((1000, 1000))
    hammered.answer(spent, front).headers.append((b"x", b"y"))
    assert (b"x", b"y") not in hammered.answer(spent, front).headers
