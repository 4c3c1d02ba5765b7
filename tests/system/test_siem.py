"""A deliverer that is killed while it waits for the receiver: the next one goes on where it stopped."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import orjson
import pytest

from compliance.actions import audit_log
from compliance.models import AuditLeaf, SiemProgress, SiemStream
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.receiver import Receiver, receiving
from tests.factories.siem import a_stream, events
from tests.system.processes import Command

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("databases")]

DELIVER = """
from compliance.actions.siem_deliveries import deliver
from compliance.contracts import SYSTEM
deliver(stream_id={}, by=SYSTEM)
"""
KILLED_AT = (1, 3)
"""Batches, counted over all deliverers, which the receiver has taken and not answered when the deliverer is killed."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Receiver]:
    monkeypatch.setenv("SIEM_INSIDE", "true")
    settings.SIEM_INSIDE = True
    with receiving() as receiver:
        yield receiver


def ids(body: bytes) -> list[int]:
    return [int(orjson.loads(line)["metadata"]["uid"]) for line in body.splitlines()]


@pytest.mark.timeout(240)
def test_killed_deliverers_lose_nothing(receiver: Receiver, tmp_path: Path) -> None:
    acme = a_tenant()
    events(acme, 900)
    audit_log.checkpoint(by=THE_SYSTEM)
    happened = list(
        AuditLeaf.objects.filter(log__tenant_id=acme.pk).order_by("index").values_list("event_id", flat=True)
    )
    assert len(happened) > 900
    stream = a_stream(
        transport=SiemStream.Transport.HTTPS, url=receiver.url, scope="tenant", tenant=acme, from_start=True
    )
    answered: list[int] = []
    reached, over = threading.Event(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if len(receiver.requests) - 1 in KILLED_AT:
            reached.set()
            over.wait(60)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        answered.extend(ids(receiver.requests[-1][2]))

    receiver.behave = answer
    for number in range(len(KILLED_AT)):
        deliverer = Command("shell", "-c", DELIVER.format(stream.pk), log=tmp_path / f"{number}.log")
        assert reached.wait(60), deliverer.log_tail()
        deliverer.kill()
        reached.clear()
    last = Command("shell", "-c", DELIVER.format(stream.pk), log=tmp_path / "last.log")
    assert last.process.wait(90) == 0, last.log_tail()
    over.set()

    assert answered == happened
    sent = [number for _, body in receiver.messages for number in ids(body)]
    assert list(dict.fromkeys(sent)) == happened
    assert len(sent) > len(happened)  # what was on its way came again
    assert SiemProgress.objects.get(stream=stream).delivered == len(happened)
