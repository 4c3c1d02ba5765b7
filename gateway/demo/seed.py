"""Makes a new installation one that there is something to see in. Does nothing where tenants exist."""

import os
import secrets

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from accounts import roles
from accounts.actions import groups, users
from accounts.models import Tenant, User
from billing.actions import alert_rules, tiers
from compliance.contracts import Actor
from gateway.demo import credentials, evidence, guards, privacy, tenants, upstreams, usage
from gateway.demo.credentials import Credentials
from gateway.demo.upstreams import Upstream

ACTOR = Actor(kind="command", id="seed_demo")
ADMINISTRATOR, OFFICER = "admin", "officer"
OFFICERS_ADDRESS = "officer@operator.example"
SANDBOX_PORT = 9000


def is_wanted() -> bool:
    """Whether this is a first run: nobody has opened a tenant yet."""
    return not Tenant.objects.exists()


def run(*, sandbox_port: int = SANDBOX_PORT) -> list[str]:
    """Adds tiers, tenants, upstreams, groups, an administrator and an officer, two weeks of usage, what people
    agreed to, what guards found and what shows that all is well, and writes `var/demo.json`.

    Returns remarks for whoever started it.
    """
    openai = upstreams.find_openai(os.environ)  # before the transaction, which must not wait for an upstream
    _add_everything(sandbox_port, openai)
    usage.open_balances(by=ACTOR)
    privacy.seed(by=ACTOR)  # in many short transactions: people's keys are in another database
    guards.seed(by=ACTOR)
    evidence.seed(by=ACTOR)
    return [openai.remark] if openai and openai.remark else []


@transaction.atomic
def _add_everything(sandbox_port: int, openai: Upstream | None) -> None:
    tiers.seed(by=ACTOR)
    alert_rules.seed(by=ACTOR)
    upstreams.seed_sandbox(port=sandbox_port, by=ACTOR)
    if openai:
        upstreams.seed_openai(openai, by=ACTOR)
    api_key = tenants.seed(by=ACTOR)
    usage.seed()
    groups.seed(by=ACTOR)
    usage.date_keys()
    passwords = _add_administrator(), _add_officer()
    # Before the commit: should that fail, the next run writes anew; after it, a crash would lose the secrets.
    credentials.write(_credentials(api_key, *passwords))


def _add_administrator() -> str:
    """The new administrator's password; nothing when somebody has made that user already."""
    if User.objects.filter(username=ADMINISTRATOR).exists():
        return ""
    password = secrets.token_urlsafe(12)
    users.add(user=User(username=ADMINISTRATOR, is_staff=True, is_superuser=True), password=password, by=ACTOR)
    return password


def _add_officer() -> str:
    """The password of the second person, without whom nothing can be approved and nobody is told of alerts."""
    if User.objects.filter(username=OFFICER).exists():
        return ""
    password = secrets.token_urlsafe(12)
    officer = users.add(user=User(username=OFFICER, email=OFFICERS_ADDRESS, is_staff=True), password=password, by=ACTOR)
    users.change(user=officer, groups=list(Group.objects.filter(name__in=(roles.OFFICERS, roles.LEGAL))), by=ACTOR)
    return password


def _credentials(api_key: str, password: str, officers: str) -> Credentials:
    origin = credentials.origin(host=settings.BIND_HOST, port=settings.PORT)
    return Credentials(
        base_url="",
        api_key=api_key,
        model=next(iter(upstreams.SANDBOX_MODELS)),
        admin_url="",
        admin_username=ADMINISTRATOR,
        admin_password=password,
        officer_username=OFFICER,
        officer_password=officers,
    ).at(origin)
