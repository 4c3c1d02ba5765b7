"""What every test gets: both databases, and no network beyond this machine."""

import ipaddress
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from django.db import connections
from django.test.utils import override_settings, setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from config.asgi import libpq_params
from config.env import program
from tests.open_transactions import OPEN_AT_MOST_S, LongTransactions


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"opens_transactions(why): may leave transactions open for longer than {OPEN_AT_MOST_S} s"
    )
    if "CI" not in os.environ:  # there Hypothesis has a profile of its own, which is as patient
        patient = [hypothesis.HealthCheck.too_slow]
        hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=patient)
        hypothesis.settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright's event loop stays in its thread, where then no other loop can be run."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Refuses connections that leave the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(str(address[0])):
            raise PermissionError(f"tests stay on this machine; refused to connect to {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_local(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Makes the test databases, all of them whatever the tests' marks name; each xdist worker has its own."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        _long_transactions.start([libpq_params(alias) for alias in connections])
    yield
    _long_transactions.stop()
    with django_db_blocker.unblock():
        _end_sessions()
        teardown_databases(made, verbosity=0)


def _end_sessions() -> None:
    """Ends what is still connected: a server that a test has killed may not have been missed yet."""
    for connection in connections.all():
        params = libpq_params(connection.alias)
        name = params.pop("dbname")
        connection.close()
        with psycopg.connect(**params, dbname="postgres", autocommit=True) as control:
            control.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@pytest.fixture(scope="session")
def databases(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Both databases, for tests whose rows other processes must see: nothing is rolled back, so each test makes its
    own tenant. (A flush is impossible: the audit log refuses to be truncated.)"""
    with django_db_blocker.unblock():
        yield


_long_transactions = LongTransactions()


@pytest.fixture(autouse=True)
def _no_long_transactions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a transaction open, as nothing in the project may.

    A test that is rolled back is itself a transaction of this process, and on a busy machine a long one.
    """
    yield
    own = f"portcullis {program()}" if request.node.get_closest_marker("django_db") else ""
    if (found := _long_transactions.take(but_of=own)) and request.node.get_closest_marker("opens_transactions") is None:
        pytest.fail(f"transactions open for longer than {OPEN_AT_MOST_S} s:\n" + "\n".join(found))


@pytest.fixture(autouse=True, scope="session")
def _ledger_of_erasures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Files of the ledger of erasures that go with this session's databases, also for the processes that it starts."""
    path = tmp_path_factory.mktemp("erasures") / "ledger.jsonl"
    with pytest.MonkeyPatch.context() as patch, override_settings(ERASURE_LEDGER=[str(path)]):
        patch.setenv("ERASURE_LEDGER", str(path))
        yield path


@pytest.fixture(autouse=True)
def _ledger_rolled_back(request: pytest.FixtureRequest, _ledger_of_erasures: Path) -> Iterator[None]:
    """What a test's rollback takes back in the databases is taken back in the files too."""
    if "databases" in request.fixturenames:
        yield
        return
    own = _ledger_of_erasures.with_name("rolled_back.jsonl")
    own.unlink(missing_ok=True)
    if _ledger_of_erasures.exists():
        shutil.copy(_ledger_of_erasures, own)
    with override_settings(ERASURE_LEDGER=[str(own)]):
        yield


@pytest.fixture(autouse=True, scope="session")
def _checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where checkpoints of this session's databases go, also those of the processes that it starts."""
    path = tmp_path_factory.mktemp("checkpoints")
    with pytest.MonkeyPatch.context() as patch, override_settings(AUDIT_FILES_DIR=path):
        patch.setenv("AUDIT_FILES_DIR", str(path))
        yield


@pytest.fixture(autouse=True)
def _checkpoints_rolled_back(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that is rolled back has a folder of its own: what it has delivered is of logs that never were."""
    if "databases" in request.fixturenames or request.node.get_closest_marker("django_db") is None:
        yield
        return
    path = request.getfixturevalue("tmp_path_factory").mktemp("checkpoints")
    with override_settings(AUDIT_FILES_DIR=path):
        yield
