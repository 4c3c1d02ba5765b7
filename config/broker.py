"""Celery's broker when there is none: messages as files under `var/celery`.

kombu's own transport creates a message's file empty and then fills it, so that a worker may take it half-written,
which ends the worker. Here a file appears in its folder when it is whole.
"""

import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

POLL_S = 0.2


def options(folder: Path) -> dict[str, Any]:
    """The transport's options, with the folders made."""
    for name in ("messages", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": POLL_S,
    }


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]  # as its base
        # Taken in the order of their names: by wall clock, because a monotonic one starts anew with the machine.
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        unfinished = Path(self.control_folder) / f"{name}.part"
        unfinished.write_text(dumps(payload), encoding="utf-8")
        os.rename(unfinished, Path(self.data_folder_out) / name)


class Transport(filesystem.Transport):
    Channel = Channel
