"""`make run`: everything that an installation on one machine needs, from one command, until Ctrl-C or SIGTERM."""

import contextlib
import http.client
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from config import embedded, programs, supervisor
from config.env import VAR_DIR
from config.supervisor import NotReady, ProgramEnded, Supervisor
from gateway.demo import credentials, seed, upstreams, welcome
from gateway.management.locks import only_one

LOGS = VAR_DIR / "log"
READY_WITHIN_S = 60


class Command(BaseCommand):
    help = "Starts the database, the sandbox, the worker and the server; with a demo at the first run."

    def handle(self, *args: Any, **options: Any) -> None:
        _stop_on_signals()
        with only_one(VAR_DIR / "up.lock"):
            _require_port(settings.BIND_HOST, settings.PORT)
            try:
                self.run()
            except KeyboardInterrupt:
                self.say("Stopped.")
            except (ProgramEnded, NotReady) as error:
                raise CommandError(f"{error} The end of {error.log}:\n\n{supervisor.end_of(error.log)}") from error

    def run(self) -> None:
        began = time.monotonic()
        with self.database() as environment:
            self.prepare_data()
            with self.programs(environment) as running:
                self.start(running)
                self.say(f"\nPortcullis is up after {time.monotonic() - began:.1f} s.")
                self.greet()
                running.wait()

    @contextmanager
    def database(self) -> Iterator[dict[str, str]]:
        """Yields what programs need to find the embedded server; nothing when DATABASE_URL names another one."""
        data_dir = settings.DATABASES["default"].get("EMBEDDED")
        if not data_dir:
            yield {}
            return
        try:
            with self.step("Starting PostgreSQL"):
                socket_dir = embedded.ensure_running(Path(data_dir))
            yield supervisor.database_environment(socket_dir)
        finally:
            _disconnect()
            with self.step("Stopping PostgreSQL"):
                embedded.stop_now()

    def prepare_data(self) -> None:
        with self.step("Bringing the databases up to date"):
            call_command("migrate", verbosity=0, interactive=False)
        self.add_demo()
        self.move_sandbox()
        _disconnect()

    def add_demo(self) -> None:
        """Only where there are no tenants, and never where DEMO=false; a database of one's own is warned first."""
        if not settings.DEMO or not seed.is_wanted():
            return
        if "EMBEDDED" not in settings.DATABASES["default"]:
            self.say("The database of DATABASE_URL has no tenants and gets a demo, for good; DEMO=false prevents it.")
        with self.step("Adding the demo"):
            remarks = seed.run(sandbox_port=supervisor.free_port())
        for remark in remarks:
            self.say(remark)

    def move_sandbox(self) -> None:
        """Keeps the sandbox's port from run to run, unless something else has taken it meanwhile."""
        port = upstreams.sandbox_port()
        if port and not supervisor.port_is_free("127.0.0.1", port):
            upstreams.move_sandbox(port=supervisor.free_port(), by=seed.ACTOR)

    @contextmanager
    def programs(self, environment: dict[str, str]) -> Iterator[Supervisor]:
        """A supervisor whose programs are stopped in order; a second Ctrl-C meanwhile ends them at once."""
        owner = Supervisor(log_dir=LOGS, environment=environment)
        try:
            yield owner
        finally:
            try:
                with self.step("Stopping: open streams may finish, Ctrl-C again ends them"):
                    owner.stop()
            except KeyboardInterrupt:
                owner.kill()

    def start(self, owner: Supervisor) -> None:
        if port := upstreams.sandbox_port():
            _disconnect()
            with self.step("Starting the sandbox upstream"):
                owner.start(programs.sandbox(port))
                owner.wait_until(lambda: supervisor.listens(port), timeout_s=READY_WITHIN_S)
        with self.step("Starting the workers and the server"):
            owner.start(programs.worker())
            owner.start(programs.long_worker())
            owner.start(programs.server())
            owner.wait_until(_is_ready, timeout_s=READY_WITHIN_S)

    def greet(self) -> None:
        origin = credentials.origin(host=settings.BIND_HOST, port=settings.PORT)
        found = credentials.read()
        if found:
            found = found.at(origin)
            credentials.write(found)
        self.say(welcome.text(origin=origin, found=found, logs=LOGS))
        self.say("Ctrl-C stops everything.")

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        self.say(f"{what} … ", end="")
        try:
            yield
        except BaseException:
            self.say("")
            raise
        self.say(f"done in {time.monotonic() - began:.1f} s")

    def say(self, text: str, *, end: str = "\n") -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone, which must not keep anything running
            self.stdout.write(text, ending=end)
            self.stdout.flush()


def _stop_on_signals() -> None:
    """All of them raise KeyboardInterrupt. A hang-up does not when it is ignored, as under nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


def _require_port(host: str, port: int) -> None:
    try:
        free = supervisor.port_is_free(host, port)
    except OSError as error:
        raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}. Set BIND_HOST or PORT.") from error
    if not free:
        raise CommandError(f"Port {port} is taken by another program. Choose another one: PORT={port + 1} make run")


def _is_ready() -> bool:
    host = credentials.reachable(settings.BIND_HOST)
    connection = http.client.HTTPConnection(host, settings.PORT, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _disconnect() -> None:
    """Leaves no connection behind: this process only waits from here on."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        connection.close_pool()  # type: ignore[attr-defined]
