#!/usr/bin/env python3
"""Runs Django's commands against this project's settings, in the environment that `make` has made."""

import os
import sys
from pathlib import Path

OWN_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        _use_own_python()
        raise SystemExit("Django is not installed here. `make run` installs everything into .venv first.") from None
    execute_from_command_line(sys.argv)


def _use_own_python() -> None:
    """Starts over with the project's own environment, if there is one and this is another."""
    if OWN_PYTHON.exists() and Path(sys.executable) != OWN_PYTHON:
        os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.argv])  # noqa: S606


if __name__ == "__main__":
    main()
