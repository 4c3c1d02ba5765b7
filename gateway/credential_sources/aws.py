"""Secrets in AWS Secrets Manager: `name`, or `name#field` where the secret is a JSON object. Credentials, region and
endpoint are boto3's own. Needs the extra that has boto3."""

import json
import re
from typing import Any

from django.conf import settings

from gateway.credential_sources.errors import SourceUnreadable

WITHIN_S = 5
_REFERENCE = re.compile(r"(?P<name>[A-Za-z0-9/_+=.@-]{1,256})(#(?P<field>[A-Za-z0-9_.-]{1,64}))?\Z")


def check(reference: str) -> None:
    found = _REFERENCE.match(reference)
    prefix: str = settings.CREDENTIAL_AWS_PREFIX
    if not found or not found["name"].startswith(prefix):
        raise SourceUnreadable(f"Name a secret that begins with {prefix}, with #field behind it if it is JSON.")


def read(reference: str) -> str:
    name, _, field = reference.partition("#")
    text = _ask(name)
    return _field(text, field, reference) if field else text


def help() -> str:
    return (
        f"A secret's name that begins with {settings.CREDENTIAL_AWS_PREFIX}; name#field for a field of a JSON secret."
    )


def _field(text: str, field: str, reference: str) -> str:
    try:
        value = json.loads(text)[field]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceUnreadable(f"{reference}: the secret is no JSON object with that field.") from error
    if not isinstance(value, str):
        raise SourceUnreadable(f"{reference} is no text.")
    return value


def _ask(name: str) -> str:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise SourceUnreadable("AWS Secrets Manager needs boto3, which is not installed here.") from error
    waits = Config(connect_timeout=WITHIN_S, read_timeout=WITHIN_S, retries={"total_max_attempts": 2})
    try:
        answer: dict[str, Any] = boto3.client("secretsmanager", config=waits).get_secret_value(SecretId=name)
    except ClientError as error:
        raise SourceUnreadable(f"AWS refuses to hand out {name}: {error.response['Error']['Code']}.") from error
    except BotoCoreError as error:
        raise SourceUnreadable(f"AWS Secrets Manager cannot be asked: {type(error).__name__}.") from error
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise SourceUnreadable(f"{name} is binary; store it as text.")
    return text
