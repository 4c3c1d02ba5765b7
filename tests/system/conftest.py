"""Real processes for the tests: one sandbox upstream and one gateway per test process, and more gateways on request.

Rows are committed, or other processes would not see them; every test makes a tenant and a key of its own, so no test
meets another's.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from django.db import connections

from gateway.models import Model, Provider
from tests import factories
from tests.system.clients import Caller, a_caller
from tests.system.processes import Gateway, Sandbox, Server, closing_all

_running: list[Server] = []
_numbers = itertools.count(2)


class StartGateway(Protocol):
    def __call__(self, *, wait: bool = True, **environment: str) -> Gateway: ...


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the servers' logs."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def sandbox_process(logs: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(logs / "sandbox.log")
    _running.append(sandbox)
    yield sandbox
    sandbox.close()
    _running.remove(sandbox)


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """The upstream, which remembers nothing from before the test."""
    sandbox_process.wait_for_running(0)
    sandbox_process.forget()
    return sandbox_process


@pytest.fixture(scope="session")
def gateway(databases: None, logs: Path) -> Iterator[Gateway]:
    """A gateway on the test databases."""
    gateway = Gateway(logs / "gateway.log")
    _running.append(gateway)
    yield gateway
    gateway.close()
    _running.remove(gateway)


@pytest.fixture
def start_gateway(databases: None, logs: Path) -> Iterator[StartGateway]:
    """Starts further gateways on the same databases, with `environment` on top; they end with the test."""
    with _starting(logs) as start:
        yield start


@pytest.fixture(scope="module")
def start_gateway_for_module(databases: None, logs: Path) -> Iterator[StartGateway]:
    """As `start_gateway`, but they end with the module."""
    with _starting(logs) as start:
        yield start


@contextmanager
def _starting(logs: Path) -> Iterator[StartGateway]:
    started: list[Server] = []

    def start(*, wait: bool = True, **environment: str) -> Gateway:
        gateway = Gateway(logs / f"gateway-{next(_numbers)}.log", wait=wait, **environment)
        started.append(gateway)
        _running.append(gateway)
        return gateway

    with closing_all(started):
        yield start
    for gateway in started:
        _running.remove(gateway)


@pytest.fixture(scope="session")
def provider(databases: None, sandbox_process: Sandbox) -> Provider:
    """The sandbox, as a provider."""
    return factories.a_provider(sandbox_process.base_url)


@pytest.fixture(scope="session")
def model(provider: Provider) -> Model:
    """A model that the sandbox serves."""
    return factories.a_model(provider)


@pytest.fixture(autouse=True)
def _living_connections(request: pytest.FixtureRequest) -> None:
    """Replaces connections of this process that are dead: other tests cut those to the ledger, all there are."""
    if "databases" not in request.fixturenames:
        return
    request.getfixturevalue("databases")
    for connection in connections.all():
        connection.ensure_connection()
        if not connection.is_usable():
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]


@pytest.fixture
def acme(gateway: Gateway, sandbox: Sandbox, model: Model) -> Caller:
    """A tenant whose tier is never in the way, with a key for everything."""
    return a_caller(gateway, model)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Shows the end of every server's log when a test fails."""
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        for server in _running:
            report.sections.append((f"log of {server.log.name}", server.log_tail()))  # type: ignore[attr-defined]
    return report
