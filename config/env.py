"""Values from the environment, typed, with a message that says what to set when one makes no sense.

Secrets that nobody set are generated once and kept in `var/secrets.json` (mode 600), so that a clone runs with
nothing configured; `manage.py check --deploy` warns about each of them.
"""

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
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


def secret(name: str, *, generate: Callable[[], str]) -> str:
    """The secret in variable `name`, or the generated one of this installation."""
    if value := env.str(name, default=""):
        return str(value)
    return _kept_secrets(name, generate)


def versioned_keys(name: str) -> dict[int, bytes]:
    """Keys by version out of `name`, written `1:<base64 of 32 bytes>,2:<…>`; the highest version is current."""
    text = secret(name, generate=lambda: "1:" + base64.b64encode(secrets.token_bytes(32)).decode())
    try:
        pairs = (part.split(":", 1) for part in text.split(","))
        keys = {int(version): base64.b64decode(key, validate=True) for version, key in pairs}
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must read 1:<base64 of 32 bytes>[,2:<…>].") from error
    if any(len(key) != 32 for key in keys.values()):
        raise ImproperlyConfigured(f"{name}: each key must be 32 bytes, in base64.")
    return keys


def generated_secrets() -> set[str]:
    """Names of the secrets that were generated because nobody set them."""
    path = VAR_DIR / "secrets.json"
    kept = set(json.loads(path.read_text())) if path.exists() else set()
    return {name for name in kept if not env.str(name, default="")}


def _kept_secrets(name: str, generate: Callable[[], str]) -> str:
    """Reads `name` from the file, adding it first when it is missing; safe between processes."""
    import fcntl

    VAR_DIR.mkdir(parents=True, exist_ok=True)
    path = VAR_DIR / "secrets.json"
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept: dict[str, str] = json.loads(file.read() or "{}")
        if name not in kept:
            kept[name] = generate()
            file.seek(0)
            file.write(json.dumps(kept, indent=2))
        return kept[name]
