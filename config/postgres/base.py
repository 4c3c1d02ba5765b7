"""Django's PostgreSQL backend, which starts the embedded server with its first connection.

A database whose settings carry `EMBEDDED` (a data folder) gets its host from there; any other one behaves as
Django's own backend does.
"""

from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base

from config import embedded


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if data_dir := self.settings_dict.get("EMBEDDED"):
            params["host"] = embedded.ensure_running(Path(data_dir))
        return params
