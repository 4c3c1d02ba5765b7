"""Secrets in environment variables of the process that looks, which is the worker. A new value needs its restart."""

import os
import re

from gateway.credential_sources.errors import SourceUnreadable

PREFIX = "PROVIDER_CREDENTIAL_"
_NAME = re.compile(PREFIX + r"[A-Z0-9_]{1,80}\Z")


def check(reference: str) -> None:
    if not _NAME.match(reference):
        raise SourceUnreadable(f"Name a variable that begins with {PREFIX}, in capitals, such as {PREFIX}OPENAI.")


def read(reference: str) -> str:
    value = os.environ.get(reference)
    if value is None:
        raise SourceUnreadable(f"The variable {reference} is not set in this process.")
    return value


def help() -> str:
    return f"A variable's name that begins with {PREFIX}."
