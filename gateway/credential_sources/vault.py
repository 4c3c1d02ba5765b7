"""Secrets in HashiCorp Vault's key-value engine, version 2: `path#field`, below the path that the settings name.

One call of its HTTP API. The token is read anew each time, so that an agent that renews it into VAULT_TOKEN_FILE needs
no restart of anything.
"""

import json
import re
from urllib.parse import quote

import urllib3
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from urllib3.exceptions import HTTPError

from config.env import secret
from gateway.credential_sources.errors import SourceUnreadable

WITHIN = urllib3.Timeout(connect=5, read=5)
MOST_BYTES = 2**16
_REFERENCE = re.compile(r"(?P<path>[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*)#(?P<field>[A-Za-z0-9_.-]{1,64})\Z")


def check(reference: str) -> None:
    found = _REFERENCE.match(reference)
    if not found or ".." in found["path"] or "." in found["path"].split("/"):
        raise SourceUnreadable(f"Write path#field; the path is looked up below {_folder()}.")


def read(reference: str) -> str:
    path, _, field = reference.partition("#")
    if not settings.CREDENTIAL_VAULT_URL:
        raise SourceUnreadable("CREDENTIAL_VAULT_URL is not set, so there is no Vault to ask.")
    data = _ask(path)
    try:
        value = json.loads(data)["data"]["data"][field]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceUnreadable(f"{reference}: Vault has no such field there.") from error
    if not isinstance(value, str):
        raise SourceUnreadable(f"{reference} is no text.")
    return value


def help() -> str:
    return f"path#field; the path is looked up below {_folder()}."


def _folder() -> str:
    return f"{settings.CREDENTIAL_VAULT_MOUNT}/{settings.CREDENTIAL_VAULT_PREFIX}"


def _ask(path: str) -> bytes:
    mount, prefix = settings.CREDENTIAL_VAULT_MOUNT, settings.CREDENTIAL_VAULT_PREFIX
    url = f"{settings.CREDENTIAL_VAULT_URL}/v1/{quote(mount)}/data/{quote(prefix + path)}"
    try:
        token = secret("VAULT_TOKEN", generate=None)
        with urllib3.PoolManager(retries=False, timeout=WITHIN) as pool:
            answer = pool.request("GET", url, headers={"X-Vault-Token": token}, redirect=False, preload_content=False)
            body: bytes = answer.read(MOST_BYTES)
            answer.release_conn()
    except ImproperlyConfigured as error:
        raise SourceUnreadable(str(error)) from error
    except HTTPError as error:
        raise SourceUnreadable(f"Vault cannot be reached: {type(error).__name__}.") from error
    if answer.status != 200:
        raise SourceUnreadable(f"Vault answers {answer.status} for {path}.")
    return body
