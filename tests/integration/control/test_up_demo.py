"""When `manage.py up` adds the demo, and what it says about it."""

from io import StringIO

import pytest
from pytest_django import Settings

from gateway.demo import seed
from gateway.management.commands.up import Command
from tests.factories import a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

WARNING = "gets a demo, for good; DEMO=false prevents it."


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the demo, which has tests of its own."""
    seen: list[str] = []

    def run(*, sandbox_port: int) -> list[str]:
        seen.append(f"on {sandbox_port}")
        return ["the upstream was silent"]

    monkeypatch.setattr(seed, "run", run)
    return seen


@pytest.fixture
def a_database_elsewhere(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(settings.DATABASES["default"], "EMBEDDED")


def add_demo() -> str:
    output = StringIO()
    Command(stdout=output).add_demo()
    return output.getvalue()


def test_it_works(runs: list[str]) -> None:
    said = add_demo()
    assert len(runs) == 1
    assert "Adding the demo" in said
    assert said.endswith("the upstream was silent\n")
    assert WARNING not in said


@pytest.mark.usefixtures("a_database_elsewhere")
def test_a_database_of_ones_own_is_warned_before(runs: list[str]) -> None:
    said = add_demo()
    assert len(runs) == 1
    assert said.index(WARNING) < said.index("Adding the demo")


@pytest.mark.usefixtures("a_database_elsewhere")
def test_with_tenants_nothing_is_added_nor_said(runs: list[str]) -> None:
    a_tenant()
    assert (add_demo(), runs) == ("", [])


def test_demo_false_adds_nothing(runs: list[str], settings: Settings) -> None:
    settings.DEMO = False
    assert (add_demo(), runs) == ("", [])
