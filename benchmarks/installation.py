"""A whole installation for one run, in a temporary folder: databases, tenant, upstreams, gateway and forwarder."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from benchmarks import forwarder
from benchmarks.scenarios import FAST, PACED
from config import embedded, programs, supervisor
from config.supervisor import Program, Running, Supervisor

READY_WITHIN_S = 60
LOG_FILES = 64
"""Of 16 MB each: what some ten minutes of load write."""

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Something that answers chat completions. `guarded`: what authorizes requests that guards look at, too."""

    name: str
    port: int
    pid: int
    paths: dict[str, str]
    authorization: str
    guarded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is measured, and what measures need to know of it. `upstreams` are ports by model."""

    gateways: tuple[Server, ...]
    forwarder: Server
    postgres_pid: int
    postgres_settings: dict[str, str]
    socket_dir: str
    upstreams: dict[str, int]
    upstream_pids: tuple[int, ...]

    @property
    def gateway(self) -> Server:
        """The only one, or the first."""
        return self.gateways[0]


@contextmanager
def running(var_dir: Path, *, step: Step, gateways: int = 1, with_worker: bool = False) -> Iterator[Installation]:
    """Starts everything, so many gateways, and the worker only where it is asked for; stops it whatever happens."""
    django.setup()
    data_dir = Path(settings.DATABASES["default"]["EMBEDDED"])
    owner: Supervisor | None = None
    try:
        step("Starting PostgreSQL and making its databases")
        socket_dir = embedded.ensure_running(data_dir)
        call_command("migrate", verbosity=0, interactive=False)
        ports = {FAST: supervisor.free_port(), PACED: supervisor.free_port()}
        keys = _seed(ports)
        disconnect()
        routes = " ".join(f"/{model}={_url(port)}/chat/completions" for model, port in ports.items())
        environment = {**supervisor.database_environment(socket_dir), forwarder.UPSTREAMS: routes}
        owner = Supervisor(log_dir=var_dir / "log", environment=environment)
        step("Starting the upstreams, the forwarder and the gateway")
        upstream_pids = tuple(_start_upstream(owner, model, port) for model, port in ports.items())
        if with_worker:
            owner.start(programs.worker())
        yield Installation(
            forwarder=_start_forwarder(owner),
            gateways=tuple(_start_gateway(owner, keys, number) for number in range(1, gateways + 1)),
            postgres_pid=int((data_dir / "postmaster.pid").read_text().split()[0]),
            postgres_settings=_postgres_settings(socket_dir),
            socket_dir=socket_dir,
            upstreams=ports,
            upstream_pids=upstream_pids,
        )
    finally:
        step("Stopping everything")
        if owner is not None:
            owner.stop()
        disconnect()
        embedded.stop_now()


@contextmanager
def beside(var_dir: Path, *, name: str, application: str, environment: dict[str, str]) -> Iterator[Server]:
    """One more application on this machine, under the same options."""
    owner = Supervisor(log_dir=var_dir / "log", environment=environment)
    port = supervisor.free_port()
    try:
        running = _start(owner, _served(name, port, application=application), port=port)
        paths = dict.fromkeys((FAST, PACED), "/v1/chat/completions")
        yield Server(name=name, port=port, pid=running.process.pid, paths=paths, authorization="none")
    finally:
        owner.stop()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


def _seed(ports: dict[str, int]) -> tuple[str, str]:
    """Two tenants that are refused nothing, charged to six meters: four rates, concurrency, a budget. Returns their
    keys: of the one without guards, and of the one with those that look where no policy says otherwise."""
    from tests import factories
    from tests.factories.guards import a_guard_policy

    tier = factories.a_tier(
        requests_per_minute=10**8,
        requests_per_hour=10**9,
        requests_per_day=10**10,
        tokens_per_minute=10**12,
        concurrency=10**6,
    )
    bare, guarded = (factories.a_tenant(tier=tier) for _ in range(2))
    for tenant in (bare, guarded):
        factories.a_budget(tenant, dollars="1000000")
    a_guard_policy(bare)
    for model, port in ports.items():
        provider = factories.a_provider(_url(port))
        factories.a_model(provider, name=model, upstream_model=model)
    return factories.a_key(tenant=bare)[1], factories.a_key(tenant=guarded)[1]


def _start_upstream(owner: Supervisor, model: str, port: int) -> int:
    program = programs.sandbox(port)
    extra = ("--fast",) if model == FAST else ()
    named = replace(program, name=f"upstream-{model}", command=(*program.command, *extra))
    return _start(owner, named, port=port).process.pid


def _start_gateway(owner: Supervisor, keys: tuple[str, str], number: int) -> Server:
    port = supervisor.free_port()
    name = "gateway" if number == 1 else f"gateway-{number}"
    running = _start(owner, _served(name, port, application="config.asgi:application"), port=port)
    owner.wait_until(lambda: _is_ready(port), timeout_s=READY_WITHIN_S)
    paths = dict.fromkeys((FAST, PACED), "/v1/chat/completions")
    return Server(name=name, port=port, pid=running.process.pid, paths=paths, authorization=keys[0], guarded=keys[1])


def _start_forwarder(owner: Supervisor) -> Server:
    port = supervisor.free_port()
    running = _start(owner, _served("forwarder", port, application="benchmarks.forwarder:application"), port=port)
    paths = {model: f"/{model}" for model in (FAST, PACED)}
    return Server(name="forwarder", port=port, pid=running.process.pid, paths=paths, authorization="none")


def _served(name: str, port: int, *, application: str) -> Program:
    """All are served with the very options that an installation has."""
    program = programs.server()
    return replace(program, name=name, command=(*program.command[:-1], "--port", str(port), application))


def _start(owner: Supervisor, program: Program, *, port: int) -> Running:
    running = owner.start(program)
    owner.wait_until(lambda: supervisor.listens(port), timeout_s=READY_WITHIN_S)
    return running


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        time.sleep(0.1)
        return False
    finally:
        connection.close()


def _postgres_settings(socket_dir: str) -> dict[str, str]:
    """Those that decide what a commit costs."""
    with psycopg.connect(host=socket_dir, user="postgres", dbname="postgres") as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN ('server_version', 'synchronous_commit', 'fsync')"
        )
        return dict(rows.fetchall())


def age_log(socket_dir: str) -> None:
    """Makes the write-ahead log that of a database in use for hours: what it writes next goes into files that are used
    again. In a new one a file is made each few seconds, and every commit waits for that for 20 to 60 ms."""
    with psycopg.connect(host=socket_dir, user="postgres", dbname="postgres", autocommit=True) as connection:
        for _ in range(LOG_FILES):
            connection.execute("SELECT pg_logical_emit_message(false, 'benchmark', '')")
            connection.execute("SELECT pg_switch_wal()")
        connection.execute("CHECKPOINT")


def disconnect() -> None:
    """Lets go of this process's connections, so that the server can be stopped."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        connection.close_pool()  # type: ignore[attr-defined]
