"""What `manage.py check --deploy` says about an installation that is still set up for trying things out."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from config.env import generated_secrets


@register(Tags.security, deploy=True)
def generated(**_: Any) -> list[CheckMessage]:
    """Secrets that live in a file beside the data they protect."""
    return [
        Warning(
            f"{name} was generated and is kept in var/secrets.json.",
            hint=f"Set {name} from where you keep secrets; to keep what is stored under it, set the same value.",
            id="portcullis.W001",
        )
        for name in sorted(generated_secrets())
    ]


@register(Tags.security, deploy=True)
def embedded_database(**_: Any) -> list[CheckMessage]:
    """A database that stops with the process that started it, and that nobody backs up."""
    if "EMBEDDED" not in settings.DATABASES["default"]:
        return []
    hint = "Set DATABASE_URL, and LEDGER_DATABASE_URL to a server of its own where traffic is high."
    return [Warning("PostgreSQL is the embedded one.", hint=hint, id="portcullis.W002")]


@register(Tags.security, deploy=True)
def plain_http(**_: Any) -> list[CheckMessage]:
    """Sessions and API keys in clear text."""
    if settings.HTTPS_ONLY:
        return []
    hint = "Serve behind TLS and set HTTPS_ONLY=true; behind a proxy also TRUSTED_PROXIES."
    return [Warning("The control plane may be used without HTTPS.", hint=hint, id="portcullis.W003")]
