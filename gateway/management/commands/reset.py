"""`make reset`: forgets what `make run` made."""

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config import embedded
from config.env import VAR_DIR
from gateway.management.locks import only_one

MADE_BY_RUN = ("celery", "demo.json", "log", "postgres", "static")


class Command(BaseCommand):
    help = "Removes the embedded database, the demo's credentials, logs and generated secrets."

    def handle(self, *args: Any, **options: Any) -> None:
        with only_one(VAR_DIR / "up.lock"):
            embedded.stop_leftover(VAR_DIR / "postgres")
            for name in MADE_BY_RUN:
                _remove(VAR_DIR / name)
            self.forget_secrets()

    def forget_secrets(self) -> None:
        """Not those that a database elsewhere was written with: what is stored there would be lost.

        Nor the ledger of its erasures, which would then have to be found before anything is decrypted.
        """
        if "EMBEDDED" in settings.DATABASES["default"]:
            for name in ("secrets.json", "erasures", "exports"):
                _remove(VAR_DIR / name)
            self.stdout.write(f"Removed what was in {VAR_DIR}.")
        else:
            self.stdout.write("The database that DATABASE_URL names, and the secrets it was written with, stay.")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
