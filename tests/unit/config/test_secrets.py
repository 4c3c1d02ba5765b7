"""Secrets out of variables and files."""

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

ONE = base64.b64encode(b"1" * 32).decode()
TWO = base64.b64encode(b"2" * 32).decode()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "root_keys"
    path.write_text(f"1:{ONE},2:{TWO}\n")
    path.chmod(0o600)
    monkeypatch.delenv("ROOT_KEYS", raising=False)
    monkeypatch.setenv("ROOT_KEYS_FILE", str(path))
    return path


def test_keys_come_from_a_file(file: Path) -> None:
    assert env.versioned_keys("ROOT_KEYS") == {1: b"1" * 32, 2: b"2" * 32}


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_file_that_every_user_may_read_or_write_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ImproperlyConfigured, match="chmod o-rwx"):
        env.versioned_keys("ROOT_KEYS")


def test_a_group_may_read_it(file: Path) -> None:
    file.chmod(0o440)
    assert env.versioned_keys("ROOT_KEYS").keys() == {1, 2}


def test_a_file_that_is_missing_or_empty_says_so(file: Path) -> None:
    file.write_text("\n")
    with pytest.raises(ImproperlyConfigured, match="is empty"):
        env.versioned_keys("ROOT_KEYS")
    file.unlink()
    with pytest.raises(ImproperlyConfigured, match="cannot be read: No such file"):
        env.versioned_keys("ROOT_KEYS")


def test_a_variable_and_a_file_do_not_go_together(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOT_KEYS", f"1:{ONE}")
    with pytest.raises(ImproperlyConfigured, match="ROOT_KEYS or ROOT_KEYS_FILE"):
        env.versioned_keys("ROOT_KEYS")


def test_what_is_in_a_file_was_not_generated(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "VAR_DIR", tmp_path)
    (tmp_path / "secrets.json").write_text('{"ROOT_KEYS": "1:…", "OTHER_SECRET": "x"}')
    assert env.generated_secrets() == {"OTHER_SECRET"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1", "must read"),
        ("one:abc", "must read"),
        ("1:!!", "must read"),
        (f"1:{ONE},1:{TWO}", "number of its own"),
        (f"65536:{ONE}", "from 0 to 65535"),
        ("1:" + base64.b64encode(b"short").decode(), "32 bytes"),
    ],
)
def test_keys_that_make_no_sense_are_refused(text: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOT_KEYS_FILE", raising=False)
    monkeypatch.setenv("ROOT_KEYS", text)
    with pytest.raises(ImproperlyConfigured, match=why):
        env.versioned_keys("ROOT_KEYS")


def test_where_no_keys_are_needed_none_are_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "VAR_DIR", tmp_path)
    monkeypatch.delenv("ROOT_KEYS", raising=False)
    assert env.versioned_keys("ROOT_KEYS", needed=False) == {}
    made = env.versioned_keys("ROOT_KEYS")
    assert made.keys() == {1}
    assert env.versioned_keys("ROOT_KEYS", needed=False) == made


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "needs KMS_KEYS"), ("2:", "needs KMS_KEYS"), ("arn", "must read"), ("1:arn:aws:kms:x", "one of ROOT_KEYS")],
)
def test_kms_keys_that_make_no_sense_are_refused(text: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMS_KEYS", text)
    with pytest.raises(ImproperlyConfigured, match=why):
        env.kms_keys("KMS_KEYS", besides={1})


def test_kms_keys_are_named_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KMS_KEYS", "2:arn:aws:kms:eu-central-1:1:key/a, 3:alias/portcullis")
    keys = {2: "arn:aws:kms:eu-central-1:1:key/a", 3: "alias/portcullis"}
    assert env.kms_keys("KMS_KEYS", besides={1}) == keys
