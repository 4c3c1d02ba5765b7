"""Secrets are replaced under load: in the overlap both work, always; after it the old one never does.

Several gateway processes, of which one is not notified of changes but polls, are asked without pause with the old and
the new secret, by plain HTTP and with the official SDK.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx2
import openai
import pytest
from django.utils import timezone
from openai import OpenAI

from accounts import claims
from accounts.actions import key_tending, rotations
from accounts.models import ApiKey, RetiringSecret, SecretUse
from gateway.models import Model
from tests.factories import THE_SYSTEM, a_key, a_model, a_provider, a_tenant
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

NOTIFIED_S = 0.1
POLLED_S = 1.0
ROUNDS = 3
WHILE_S = 0.6


@dataclass(frozen=True)
class Sent:
    """A request: when it was sent and answered (epoch seconds), where, with what, and the status of its answer."""

    at: float
    until: float
    gateway: str
    secret: str = field(repr=False)
    status: int


@dataclass
class Load:
    """What is asked all the time, and how it was answered."""

    gateways: dict[str, Gateway]
    model: Model
    sent: list[Sent] = field(default_factory=list)

    def with_secret(self, secret: str) -> list[Sent]:
        return [each for each in list(self.sent) if each.secret == secret]

    def wait(self, secret: str, *, since: float) -> None:
        """Until each gateway has answered several with that secret that were sent since then."""

        def seen() -> bool:
            at = [each.gateway for each in self.with_secret(secret) if each.at >= since]
            return all(at.count(name) >= 5 for name in self.gateways)

        eventually(seen, within_s=20)

    @contextmanager
    def asking(self, *secrets: str) -> Iterator[None]:
        """Asks each gateway with each secret, without pause, until the block is left."""
        over = threading.Event()
        threads = [
            threading.Thread(target=self._ask, args=(name, secret, over))
            for name in self.gateways
            for secret in secrets
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _ask(self, name: str, secret: str, over: threading.Event) -> None:
        ask, close = self._client(name, secret)
        while not over.is_set():
            at = time.time()
            status = ask()
            self.sent.append(Sent(at, time.time(), name, secret, status))
        close()

    def _client(self, name: str, secret: str) -> tuple[Callable[[], int], Callable[[], None]]:
        url = self.gateways[name].url
        if name == "sdk":
            sdk = OpenAI(base_url=f"{url}/v1", api_key=secret, max_retries=0, timeout=30)
            return lambda: self._by_sdk(sdk), sdk.close
        client = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=30)
        return lambda: client.post("/v1/chat/completions", json=self._body()).status_code, client.close

    def _by_sdk(self, sdk: OpenAI) -> int:
        try:
            sdk.chat.completions.create(
                model=self.model.name, messages=[{"role": "user", "content": "hi"}], max_tokens=5
            )
        except openai.APIStatusError as error:
            return error.status_code
        return 200

    def _body(self) -> dict[str, object]:
        return {"model": self.model.name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


@pytest.fixture(scope="module")
def gateways(databases: None, logs: Path) -> Iterator[dict[str, Gateway]]:
    made = {
        "raw": Gateway(logs / "rotation-raw.log", FAILED_KEYS_PER_MINUTE="0"),
        "sdk": Gateway(logs / "rotation-sdk.log", FAILED_KEYS_PER_MINUTE="0"),
        "polling": Gateway(logs / "rotation-polling.log", FAILED_KEYS_PER_MINUTE="0", POLICY_NOTIFICATIONS="false"),
    }
    yield made
    for each in made.values():
        each.close()


@pytest.fixture
def load(gateways: dict[str, Gateway], sandbox_process: Sandbox) -> Load:
    """Of a model that each gateway knows: the one that polls learns of it last."""
    model = a_model(a_provider(sandbox_process.base_url))
    _, secret = a_key()
    headers = {"Authorization": f"Bearer {secret}"}
    for gateway in gateways.values():
        url = f"{gateway.url}/v1/models/{model.name}"
        eventually(lambda url=url: httpx2.get(url, headers=headers).status_code == 200, within_s=20)  # type: ignore[misc]
    return Load(gateways, model)


def claimed(key: ApiKey, gateway: Gateway) -> str:
    """Rotates the key, and gets the new secret as a program would: by the link."""
    link = claims.url_of(rotations.rotate(key=key, by=THE_SYSTEM).pk)
    answer = httpx2.post(gateway.url + link, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["api_key"])


def failures(sent: list[Sent]) -> list[Sent]:
    return [each for each in sent if each.status != 200]


@pytest.mark.timeout(180)
def test_a_rotation_and_an_early_close_under_load(load: Load, gateways: dict[str, Gateway]) -> None:
    key, old = a_key(tenant=a_tenant())
    late: dict[str, list[float]] = {name: [] for name in gateways}
    for _ in range(ROUNDS):
        load.sent.clear()
        with load.asking(old):
            load.wait(old, since=0)
            new = claimed(key, gateways["raw"])
            with load.asking(new):
                load.wait(new, since=0)
                time.sleep(WHILE_S)  # nothing announces that nothing happens
                closing = time.time()
                rotations.end_overlap(key=key, by=THE_SYSTEM)
                closed = time.time()
                load.wait(old, since=closed + POLLED_S)
                load.wait(new, since=closed + POLLED_S)
        assert failures(load.with_secret(new)) == []
        assert failures([each for each in load.with_secret(old) if each.until < closing]) == []
        for name, times in late.items():
            good = [each.at - closed for each in load.with_secret(old) if each.gateway == name and each.status == 200]
            times.append(max([*good, 0.0]))
        old = new
    assert max(max(times) for times in late.values()) < POLLED_S
    assert statistics.median(late["raw"]) < NOTIFIED_S
    assert statistics.median(late["sdk"]) < NOTIFIED_S


@pytest.mark.timeout(120)
def test_the_end_of_the_overlap_under_load(load: Load, gateways: dict[str, Gateway]) -> None:
    key, old = a_key(tenant=a_tenant())
    new = claimed(key, gateways["raw"])
    with load.asking(old, new):
        load.wait(old, since=0)
        end = timezone.now() + timedelta(seconds=2)
        RetiringSecret.objects.filter(key=key).update(ends_at=end)
        load.wait(old, since=end.timestamp())
        load.wait(new, since=end.timestamp())
        key_tending.end_due(by=THE_SYSTEM, at=timezone.now())
        load.wait(old, since=time.time())
    ended = end.timestamp()
    assert failures(load.with_secret(new)) == []
    assert failures([each for each in load.with_secret(old) if each.until < ended]) == []
    assert {each.status for each in load.with_secret(old) if each.at >= ended} == {401}


@pytest.mark.timeout(120)
def test_as_long_as_nobody_has_the_new_one_the_old_one_goes_on(load: Load) -> None:
    key, old = a_key(tenant=a_tenant())
    with load.asking(old):
        load.wait(old, since=0)
        rotations.rotate(key=key, by=THE_SYSTEM)
        RetiringSecret.objects.filter(key=key).update(ends_at=timezone.now())
        load.wait(old, since=time.time() + POLLED_S)
        key_tending.end_due(by=THE_SYSTEM, at=timezone.now())
        key_tending.renew_due(by=THE_SYSTEM, at=timezone.now())
        load.wait(old, since=time.time() + POLLED_S)
    assert failures(load.sent) == []


def test_the_last_use_is_told_within_seconds(load: Load, start_gateway: Callable[..., Gateway]) -> None:
    """Also by a process that is stopped before its time to write has come."""
    key, secret = a_key(tenant=a_tenant())
    gateway = start_gateway()
    before = timezone.now()
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx2.get(f"{gateway.url}/v1/models", headers=headers).status_code == 200
    assert gateway.stop() == 0
    assert SecretUse.objects.get(public_id=key.public_id).last_used_at >= before
