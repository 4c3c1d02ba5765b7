"""What `make run` tells, and the file that it keeps."""

import stat
from pathlib import Path

import pytest

from gateway.demo import credentials, welcome
from gateway.demo.credentials import Credentials

FOUND = Credentials(
    base_url="http://127.0.0.1:8000/v1",
    api_key="pcl_dev_x",
    model="sandbox-small",
    admin_url="http://127.0.0.1:8000/admin/",
    admin_username="admin",
    admin_password="sesame",
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:8000", id="loopback"),
        pytest.param("0.0.0.0", "http://127.0.0.1:8000", id="every address"),
        pytest.param("::", "http://[::1]:8000", id="every address, version 6"),
        pytest.param("gateway.example", "http://gateway.example:8000", id="a name"),
    ],
)
def test_the_origin_is_one_that_this_machine_reaches(host: str, expected: str) -> None:
    assert credentials.origin(host=host, port=8000) == expected


def test_credentials_survive_the_file_which_is_private(tmp_path: Path) -> None:
    path = tmp_path / "var" / "demo.json"
    assert credentials.read(path) is None
    for _ in range(2):
        credentials.write(FOUND, path)
    assert credentials.read(path) == FOUND
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_credentials_follow_the_port() -> None:
    moved = FOUND.at("http://127.0.0.1:9999")
    assert (moved.base_url, moved.admin_url) == ("http://127.0.0.1:9999/v1", "http://127.0.0.1:9999/admin/")


def test_the_welcome_has_all_that_a_first_call_needs() -> None:
    text = welcome.text(origin="http://127.0.0.1:8000", found=FOUND, logs=Path("var/log"))
    for part in ("/admin/", "/api/docs/", "sesame", "curl http://127.0.0.1:8000/v1/chat/completions", "OpenAI("):
        assert part in text


def test_the_snippet_is_five_lines_of_python() -> None:
    text = welcome.text(origin="http://127.0.0.1:8000", found=FOUND, logs=Path("var/log"))
    snippet = [line.strip() for line in text.partition("openai package:")[2].splitlines() if line.strip()]
    assert len(snippet) == 5
    compile("\n".join(snippet), "snippet", "exec")


def test_the_curl_line_is_what_a_shell_understands() -> None:
    import json
    import shlex

    text = welcome.text(origin="http://127.0.0.1:8000", found=FOUND, logs=Path("var/log"))
    command = text.partition("With curl:")[2].partition("With the")[0]
    words = shlex.split(command.replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1])["model"] == "sandbox-small"
    assert "Authorization: Bearer pcl_dev_x" in words


def test_without_credentials_it_says_how_to_get_new_ones() -> None:
    text = welcome.text(origin="http://127.0.0.1:8000", found=None, logs=Path("var/log"))
    assert "issue_key" in text
    assert "createsuperuser" in text
