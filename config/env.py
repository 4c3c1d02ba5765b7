"""Values from the environment, typed, with a message that says what to set when one makes no sense.

Secrets that nobody set are generated once and kept in `var/secrets.json` (mode 600), so that a clone runs with
nothing configured; `manage.py check --deploy` warns about each of them.
"""

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var"))).resolve()


def program() -> str:
    """What this process is, in a word: `gateway`, `worker`, `pytest`, or a command of `manage.py`."""
    script = Path(sys.argv[0])
    name = script.parent.name if script.stem == "__main__" else script.stem
    if name == "manage" and len(sys.argv) > 1:
        return sys.argv[1]
    return {"granian": "gateway", "celery": "worker"}.get(name, name or "python")


def integer(name: str, *, default: int, least: int = 0, most: int = 2**62) -> int:
    """The whole number in variable `name`; refuses one outside `least..most`."""
    try:
        value = env.int(name, default=default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, e.g. {name}={default}.") from error
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} is {value}; it must lie between {least} and {most}.")
    return int(value)


def choice(name: str, *, default: str, among: tuple[str, ...]) -> str:
    """The word in variable `name`; refuses one that is not in `among`."""
    value = str(env.str(name, default=default))
    if value not in among:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of {', '.join(among)}.")
    return value


def choices(name: str, *, default: tuple[str, ...], among: tuple[str, ...]) -> tuple[str, ...]:
    """The words in variable `name`, with commas between them; refuses one that is not in `among`."""
    values = tuple(word.strip() for word in env.list(name, default=list(default)) if word.strip())
    if strange := [word for word in values if word not in among]:
        raise ImproperlyConfigured(f"{name} names {strange[0]!r}; it may name {', '.join(among)}.")
    return values


def secret(name: str, *, generate: Callable[[], str] | None) -> str:
    """The secret in variable `name`, in the file that `<name>_FILE` names, or the generated one of here.

    Without `generate` none is made, and the secret may be missing: an empty text.
    """
    return _given(name) or _kept_secrets(name, generate)


def versioned_keys(name: str, *, needed: bool = True) -> dict[int, bytes]:
    """Keys by version out of `name`, written `1:<base64 of 32 bytes>,2:<…>`; the highest version is current."""
    generate = (lambda: "1:" + base64.b64encode(secrets.token_bytes(32)).decode()) if needed else None
    try:
        texts = versioned(name, secret(name, generate=generate))
        keys = {version: base64.b64decode(key, validate=True) for version, key in texts.items()}
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must read 1:<base64 of 32 bytes>[,2:<…>].") from error
    if any(len(key) != 32 for key in keys.values()):
        raise ImproperlyConfigured(f"{name}: each key must be 32 bytes, in base64.")
    return keys


def kms_keys(name: str, *, besides: Collection[int]) -> dict[int, str]:
    """Names of KMS keys by version, written `2:<key arn>,3:<…>`; `besides` are versions that are taken."""
    try:
        keys = versioned(name, str(env.str(name, default="")))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must read 1:<key arn>[,2:<…>].") from error
    if not keys or not all(keys.values()):
        raise ImproperlyConfigured(f"ROOT_KEY_PROVIDER=kms needs {name}, written 1:<key arn>[,2:<…>].")
    if taken := keys.keys() & set(besides):
        raise ImproperlyConfigured(f"{name}: version {min(taken)} is one of ROOT_KEYS already. Take a higher one.")
    return keys


def versioned(name: str, text: str) -> dict[int, str]:
    """Values by version, written `1:<…>,2:<…>`; refuses versions that no sealed value has room for.

    Raises:
        ValueError: it is written otherwise.
    """
    pairs = [part.strip().split(":", 1) for part in text.split(",")] if text else []
    values = {int(version): value for version, value in pairs}
    if len(values) < len(pairs) or not all(0 <= version < 2**16 for version in values):
        raise ImproperlyConfigured(f"{name}: each version must be a number of its own, from 0 to 65535.")
    return values


def generated_secrets() -> set[str]:
    """Names of the secrets that were generated because nobody set them."""
    path = VAR_DIR / "secrets.json"
    kept = set(json.loads(path.read_text())) if path.exists() else set()
    return {name for name in kept if not _given(name)}


def _given(name: str) -> str:
    """What a variable, or the file that another one names, says; empty where neither is set."""
    value, path = str(env.str(name, default="")), str(env.str(f"{name}_FILE", default=""))
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    return _text_of(Path(path), named_by=f"{name}_FILE") if path else value


def _text_of(path: Path, *, named_by: str) -> str:
    """What a file of secrets holds. Refuses one that every user of the machine may read."""
    try:
        if path.stat().st_mode & 0o007:
            raise ImproperlyConfigured(f"{path} ({named_by}) is open to every user here. Run chmod o-rwx {path}")
        text = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{path} ({named_by}) cannot be read: {error.strerror}.") from error
    if not text:
        raise ImproperlyConfigured(f"{path} ({named_by}) is empty.")
    return text


def _kept_secrets(name: str, generate: Callable[[], str] | None) -> str:
    """Reads `name` from the file, adding it first when it is missing; safe between processes."""
    import fcntl

    VAR_DIR.mkdir(parents=True, exist_ok=True)
    path = VAR_DIR / "secrets.json"
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept: dict[str, str] = json.loads(file.read() or "{}")
        if name not in kept:
            if generate is None:
                return ""
            kept[name] = generate()
            file.seek(0)
            file.write(json.dumps(kept, indent=2))
        return kept[name]
