"""What every test gets: both databases, and no network beyond this machine."""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test.utils import setup_databases, teardown_databases
from pytest_django import DjangoDbBlocker

from config.asgi import libpq_params


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
    yield
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
