"""`manage.py up` as a person uses it: the real command, in a folder of its own, on a free port."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openai
import psutil
import psycopg
import pytest

from config import supervisor
from config.asgi import libpq_params
from config.env import BASE_DIR

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

LAST_LINE = "Ctrl-C stops everything."
OURS = (
    "DJANGO_SETTINGS_MODULE",
    "SECRET_KEY",
    "KEY_PEPPERS",
    "ROOT_KEYS",
    "DATABASE_URL",
    "LEDGER_DATABASE_URL",
    "KEYS_DATABASE_URL",
    "ERASURE_LEDGER",
)
GONE_WITHIN_S = 60


class Installation:
    """A folder for data, and a port. Nothing else is configured."""

    def __init__(self, var_dir: Path, **environment: str) -> None:
        self.var_dir = var_dir
        inherited = {name: value for name, value in os.environ.items() if name not in OURS and "OPENAI" not in name}
        self.environment = {
            **inherited,
            "VAR_DIR": str(var_dir),
            "PORT": str(supervisor.free_port()),
            **environment,
        }

    @property
    def demo(self) -> dict[str, str]:
        return dict(json.loads((self.var_dir / "demo.json").read_text()))

    def filled(self) -> dict[str, str]:
        """What a first run made, which is made now if there was none."""
        if not (self.var_dir / "demo.json").exists():
            for arguments in (["migrate"], ["seed_demo", "--sandbox-port", str(supervisor.free_port())]):
                assert self.command(*arguments).returncode == 0
        return self.demo

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=BASE_DIR, env=self.environment, capture_output=True, text=True, check=False)

    @contextlib.contextmanager
    def up(self) -> Iterator["Up"]:
        """The installation while it is up; whatever happens, nothing of it stays."""
        started = Up(self)
        try:
            started.wait_until_ready()
            yield started
        finally:
            started.close()


class Up:
    """A running `manage.py up`."""

    def __init__(self, installation: Installation) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=BASE_DIR,
            env=installation.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self._postmaster = installation.var_dir / "postgres" / "postmaster.pid"

    def wait_until_ready(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if line.startswith(LAST_LINE):
                return
        pytest.fail(f"it ended before it was ready:\n{self.output}")

    def programs(self) -> list[psutil.Process]:
        """All that it started, with what those started, and the database."""
        programs: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        if self._postmaster.exists():
            programs.append(psutil.Process(int(self._postmaster.read_text().partition("\n")[0])))
        return programs

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        rest, _ = self.process.communicate(timeout=GONE_WITHIN_S)
        self.output += rest
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.ended()


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Not below pytest's own folder: that one is private, and the database runs as another user when this is root."""
    with tempfile.TemporaryDirectory(prefix="portcullis up ") as folder:
        made = Installation(Path(folder) / "var")
        yield made
        made.command("reset")


def test_it_works_and_everything_stops(installation: Installation) -> None:
    with installation.up() as up:
        demo = installation.demo
        assert stat.S_IMODE((installation.var_dir / "demo.json").stat().st_mode) == 0o600
        assert demo["api_key"] in up.output
        assert demo["admin_password"] in up.output
        assert answer(demo)
        programs = up.programs()
        assert len(programs) >= 4
        up.process.send_signal(signal.SIGTERM)
        assert up.ended() == 0
        assert alive(programs) == []


def test_a_second_start_finds_the_same_data_and_lets_no_other_beside_it(installation: Installation) -> None:
    first = installation.filled()
    with installation.up() as up:
        assert installation.demo == first
        assert "Adding the demo" not in up.output
        assert answer(first)
        other = installation.command("up")
        assert other.returncode == 1
        assert f"runs already (process {up.process.pid})" in other.stderr
        assert installation.command("reset").returncode == 1
        assert_refused_on_the_same_port(installation)


def test_after_a_kill_the_database_is_taken_over_and_after_a_death_all_stops(installation: Installation) -> None:
    first = installation.filled()
    with installation.up() as up:
        *programs, database = up.programs()
        up.process.kill()
        up.ended()
        assert alive(programs) == []
        assert database.is_running()
    with installation.up() as up:
        assert installation.demo == first
        *programs, same_database = up.programs()
        assert same_database == database
        (server,) = (one for one in programs if "granian" in one.cmdline() and one.ppid() == up.process.pid)
        server.kill()
        assert up.ended() == 1
        assert "The server ended with status" in up.output
        assert "server.log" in up.output
        assert alive([*programs, database]) == []


def assert_refused_on_the_same_port(installation: Installation) -> None:
    with tempfile.TemporaryDirectory(prefix="portcullis-up-") as folder:
        other = Installation(Path(folder) / "var", PORT=installation.environment["PORT"])
        refused = other.command("up")
        assert refused.returncode == 1
        assert f"Port {other.environment['PORT']} is taken" in refused.stderr
        assert not (other.var_dir / "postgres").exists()


def test_a_database_elsewhere_is_created_and_used(databases: None) -> None:
    params = libpq_params("default")
    name = f"up_{uuid.uuid4().hex[:12]}"
    url = f"postgresql://{params['user']}@/{name}?host={quote(str(params['host']), safe='')}"
    with tempfile.TemporaryDirectory(prefix="portcullis-up-") as folder:
        installation = Installation(Path(folder) / "var", DATABASE_URL=url)
        try:
            with installation.up() as up:
                assert answer(installation.demo)
                assert "PostgreSQL" not in up.output
            assert not (installation.var_dir / "postgres").exists()
            assert "secrets" in installation.command("reset").stdout
            assert (installation.var_dir / "secrets.json").exists()
        finally:
            drop(name, params)
            drop(f"{name}_ledger", params)


def test_any_command_works_with_nothing_configured() -> None:
    with tempfile.TemporaryDirectory(prefix="portcullis-up-") as folder:
        clone = Installation(Path(folder) / "var")
        assert clone.command("check").returncode == 0
        assert clone.command("showmigrations").returncode == 0


def test_a_command_that_needs_tables_says_how_to_make_them() -> None:
    with tempfile.TemporaryDirectory(prefix="portcullis-up-") as folder:
        clone = Installation(Path(folder) / "var")
        for arguments in (["seed_demo"], ["issue_key", "--application", "a/b", "--name", "ci", "--environment", "dev"]):
            refused = clone.command(*arguments)
            assert refused.returncode == 1
            assert "run `manage.py migrate` first" in refused.stderr
            assert "Traceback" not in refused.stderr


def answer(demo: dict[str, str]) -> str:
    """What the snippet that is printed answers."""
    with openai.OpenAI(base_url=demo["base_url"], api_key=demo["api_key"]) as client:
        completion = client.chat.completions.create(
            model=demo["model"], messages=[{"role": "user", "content": "Hello!"}]
        )
        return str(completion.choices[0].message.content)


def alive(programs: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not gone in time."""
    _, left = psutil.wait_procs(programs, timeout=GONE_WITHIN_S)
    return list(left)


def drop(name: str, params: dict[str, Any]) -> None:
    with psycopg.connect(**{**params, "dbname": "postgres"}, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(psycopg.sql.Identifier(name))
        )
