"""Starting, watching and stopping programs, with small real ones."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import environ
import psutil
import pytest

from config import supervisor
from config.supervisor import NotReady, Program, ProgramEnded, Supervisor

FOREVER = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + FOREVER
TELLS_ITS_END = """
import signal, sys, time
def end(*_):
    print('ended at', time.monotonic(), flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
time.sleep(600)
"""
WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print('ready', child.pid, flush=True)
time.sleep(600)
"""


def a_program(source: str, *, name: str = "program", grace_s: float = 10) -> Program:
    return Program(name=name, command=(sys.executable, "-c", source), grace_s=grace_s)


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(log_dir=tmp_path, environment={"GREETING": "hello"})
    yield made
    made.kill()


def started(owner: Supervisor, program: Program) -> supervisor.Running:
    """The program, once it has said that it is ready."""
    running = owner.start(program)
    owner.wait_until(lambda: "ready" in running.log.read_text(), timeout_s=30)
    return running


def test_it_works(owner: Supervisor) -> None:
    running = started(owner, a_program(FOREVER))
    owner.stop()
    assert running.process.returncode == -signal.SIGTERM


def test_a_program_gets_the_environment_and_no_keyboard(owner: Supervisor) -> None:
    running = owner.start(a_program("import os, sys; print('ready', os.environ['GREETING'], sys.stdin.read() == '')"))
    with pytest.raises(ProgramEnded):
        owner.wait(timeout_s=30)
    assert running.log.read_text() == "ready hello True\n"


def test_an_end_is_noticed_and_named(owner: Supervisor, tmp_path: Path) -> None:
    owner.start(a_program("print('goodbye'); raise SystemExit(3)", name="worker"))
    with pytest.raises(ProgramEnded, match="The worker ended with status 3") as caught:
        owner.wait()
    assert supervisor.end_of(caught.value.log) == "goodbye"


def test_an_end_while_waiting_for_readiness_is_noticed(owner: Supervisor) -> None:
    owner.start(a_program("raise SystemExit(1)"))
    with pytest.raises(ProgramEnded):
        owner.wait_until(lambda: False, timeout_s=30)


def test_what_does_not_become_ready_is_named(owner: Supervisor) -> None:
    started(owner, a_program(FOREVER, name="server"))
    with pytest.raises(NotReady, match="The server did not become ready"):
        owner.wait_until(lambda: False, timeout_s=0)


def test_programs_stop_in_the_reverse_order_each_after_the_other(owner: Supervisor) -> None:
    logs = [started(owner, a_program(TELLS_ITS_END, name=name)).log for name in ("first", "second", "third")]
    owner.stop()
    ends = [float(log.read_text().rsplit(" ", 1)[1]) for log in logs]
    assert ends == sorted(ends, reverse=True)


def test_what_outstays_its_grace_is_killed(owner: Supervisor) -> None:
    running = started(owner, a_program(STUBBORN, grace_s=0.05))
    owner.stop()
    assert running.process.returncode == -signal.SIGKILL


def test_nothing_that_a_program_started_is_left_behind(owner: Supervisor) -> None:
    running = started(owner, a_program(WITH_A_CHILD))
    child = psutil.Process(int(running.log.read_text().split()[1]))
    owner.stop()
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel tells a program of its parent's death")
def test_programs_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    source = (
        "import sys; from pathlib import Path; from config.supervisor import Program, Supervisor;"
        f"owner = Supervisor(log_dir=Path({str(tmp_path)!r}), environment={{}});"
        f"running = owner.start(Program(name='p', command=(sys.executable, '-c', {FOREVER!r})));"
        "owner.wait_until(lambda: 'ready' in running.log.read_text(), timeout_s=30);"
        "print(running.process.pid, flush=True); owner.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        program = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([program], timeout=30)
    assert not program.is_running()


def test_the_log_before_the_last_is_kept(tmp_path: Path) -> None:
    supervisor.fresh_log(tmp_path, "server").write_text("monday")
    supervisor.fresh_log(tmp_path, "server").write_text("tuesday")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "server.log": "tuesday",
        "server.log.1": "monday",
    }


def test_the_end_of_a_log_is_a_few_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert supervisor.end_of(log) == ""
    log.write_bytes(b"one\ntwo\xff\nthree\n")
    assert supervisor.end_of(log, lines=2) == "two\ufffd\nthree"


def test_programs_find_an_embedded_server_by_what_settings_understand() -> None:
    found = supervisor.database_environment("/some folder/with ümlaut & more")
    names = ("DATABASE_URL", "LEDGER_DATABASE_URL", "KEYS_DATABASE_URL")
    main, ledger, keys = (environ.Env.db_url_config(found[name]) for name in names)
    assert [one["NAME"] for one in (main, ledger, keys)] == ["portcullis", "portcullis_ledger", "portcullis_keys"]
    assert main["USER"] == "postgres"
    assert main["OPTIONS"] == ledger["OPTIONS"] == keys["OPTIONS"] == {"host": "/some folder/with ümlaut & more"}


def test_a_port_is_free_until_somebody_listens() -> None:
    port = supervisor.free_port()
    assert supervisor.port_is_free("127.0.0.1", port)
    assert not supervisor.listens(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not supervisor.port_is_free("127.0.0.1", port)
        assert supervisor.listens(port)


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        supervisor.port_is_free("192.0.2.1", 8000)


def test_waiting_ends_with_its_time_while_all_is_well(owner: Supervisor) -> None:
    running = started(owner, a_program(FOREVER))
    owner.wait(timeout_s=0.01)
    assert running.process.poll() is None
