"""Secrets in files of one folder, as orchestrators mount them."""

from pathlib import Path

from django.conf import settings

from gateway.credential_sources.errors import SourceUnreadable

MOST_BYTES = 8192


def check(reference: str) -> None:
    _path(reference)


def read(reference: str) -> str:
    path = _path(reference)
    try:
        if path.stat().st_mode & 0o007:
            raise SourceUnreadable(f"{reference} is open to every user of its machine. Run chmod o-rwx on it.")
        if not path.is_file():
            raise SourceUnreadable(f"{reference} is no file.")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SourceUnreadable(f"{reference} cannot be read: {error.strerror}.") from error
    if len(data) > MOST_BYTES:
        raise SourceUnreadable(f"{reference} is longer than {MOST_BYTES:,} bytes.")
    return data.decode(errors="replace")


def help() -> str:
    return "A file's name in the folder CREDENTIAL_FILES_DIR."


def _path(reference: str) -> Path:
    """Links may lead about inside the folder, as those of Kubernetes do, and not out of it."""
    folder = Path(settings.CREDENTIAL_FILES_DIR).resolve()
    if "\0" in reference:
        raise SourceUnreadable("No file can have that name.")
    path = (folder / reference).resolve()
    if not path.is_relative_to(folder) or path == folder:
        raise SourceUnreadable("Name a file inside the folder CREDENTIAL_FILES_DIR.")
    return path
