"""What somebody needs to try the demo, kept in `var/demo.json` because its secrets are stored nowhere else."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from config.env import VAR_DIR

PATH = VAR_DIR / "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    base_url: str
    api_key: str
    model: str
    admin_url: str
    admin_username: str
    admin_password: str
    officer_username: str = ""
    officer_password: str = ""

    def at(self, origin: str) -> "Credentials":
        """The same for a server at another origin, e.g. `http://127.0.0.1:8000`."""
        return replace(self, base_url=f"{origin}/v1", admin_url=f"{origin}/admin/")


def read(path: Path = PATH) -> Credentials | None:
    """What was written, or None."""
    if not path.exists():
        return None
    return Credentials(**json.loads(path.read_text(encoding="utf-8")))


def write(credentials: Credentials, path: Path = PATH) -> None:
    """Replaces the file; nobody else may ever read it, nor see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(credentials), file, indent=2)
    unfinished.replace(path)


def origin(*, host: str, port: int) -> str:
    """Where this machine reaches a server that listens on `host`."""
    name = reachable(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def reachable(host: str) -> str:
    """`host`, or where it means every address, one of this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
