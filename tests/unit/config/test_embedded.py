"""What the embedded PostgreSQL makes of what an earlier run left behind."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from config import embedded


def test_users_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    listed(tmp_path, [gone.pid, os.getpid()])
    embedded._forget_dead_users(tmp_path)
    assert users(tmp_path) == [os.getpid()]


def test_a_process_that_began_after_the_list_was_written_is_not_on_it(tmp_path: Path) -> None:
    """As in a container, whose numbers begin anew with each start."""
    listed(tmp_path, [os.getpid()])
    os.utime(tmp_path / ".handle_pids.json", (1, 1))
    embedded._forget_dead_users(tmp_path)
    assert users(tmp_path) == []


def test_a_lock_file_with_the_number_of_another_program_names_no_server(tmp_path: Path) -> None:
    assert not embedded._is_alive(tmp_path)
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
    assert not embedded._is_alive(tmp_path)


def test_a_socket_lives_with_the_data_unless_its_path_were_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = tmp_path / "a b", tmp_path / ("x" * 100)
    for folder in (short, long):
        folder.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert embedded._socket_dir(short) == short
    elsewhere = embedded._socket_dir(long)
    assert elsewhere.parent == tmp_path
    assert elsewhere.stat().st_mode & 0o777 == 0o700
    assert embedded._socket_dir(long) == elsewhere


def listed(data_dir: Path, pids: list[int]) -> None:
    (data_dir / ".handle_pids.json").write_text(json.dumps(pids))


def users(data_dir: Path) -> list[int]:
    return list(json.loads((data_dir / ".handle_pids.json").read_text()))
