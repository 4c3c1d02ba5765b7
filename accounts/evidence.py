"""What this app gives to evidence packs and to the checklist: who may do what, and whether that is looked after."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db.models import F, IntegerField, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts import rotating
from accounts.models import ApiKey, Membership, User
from compliance import controls
from compliance.controls import Control, Finding, Reference, attention, missing, ok
from compliance.packs import sections
from compliance.packs.sections import GDPR, HIPAA, SOC2, Period, Section

DORMANT_AFTER = timedelta(days=90)
LATE_BY = timedelta(days=30)
DATED_WITHIN = timedelta(hours=2)
PAGE = 1000
APPROVE = "change_approval"
WHO = frozenset({SOC2, GDPR, HIPAA})


def _users(period: Period) -> Iterator[dict[str, Any]]:
    for user in User.objects.order_by("pk").prefetch_related("groups", "memberships__tenant"):
        yield {
            "user": user.pk,
            "username": user.get_username(),
            "name": user.get_full_name(),
            "active": user.is_active,
            "admin": user.is_staff,
            "everything": user.is_superuser,
            "groups": "; ".join(sorted(group.name for group in user.groups.all())),
            "memberships": "; ".join(sorted(f"{m.tenant.slug}: {m.role}" for m in user.memberships.all())),
            "last_sign_in": _time(user.last_login),
            "added": _time(user.date_joined),
        }


def _groups(period: Period) -> Iterator[dict[str, Any]]:
    for group in Group.objects.order_by("name").prefetch_related("permissions__content_type", "user_set"):
        yield {
            "group": group.name,
            "members": group.user_set.count(),
            "permissions": "; ".join(
                sorted(f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.all())
            ),
        }


def _memberships(period: Period) -> Iterator[dict[str, Any]]:
    for row in Membership.objects.order_by("tenant__slug", "pk").select_related("tenant", "user"):
        yield {
            "tenant": row.tenant.slug,
            "user": row.user_id,
            "role": row.get_role_display(),
            "since": _time(row.created_at),
        }


def _keys(period: Period) -> Iterator[dict[str, Any]]:
    last = 0
    rows = ApiKey.objects.order_by("pk").select_related("tenant", "application")
    while page := list(rows.filter(pk__gt=last)[:PAGE]):
        for key in page:
            yield {
                "key": key.pk,
                "tenant": key.tenant.slug,
                "application": key.application.slug,
                "name": key.name,
                "environment": key.environment,
                "status": key.get_status_display(),
                "scopes": "; ".join(key.scopes),
                "networks": "; ".join(key.allowed_networks),
                "made": _time(key.created_at),
                "secret_since": _time(key.secret_since),
                "expires": _time(key.expires_at),
                "revoked": _time(key.revoked_at),
            }
        last = page[-1].pk


SECTIONS = (
    Section(
        name="users",
        title="Access review: people",
        why="Who can sign in to the admin, what they may do there, and when they last did.",
        columns=(
            *("user", "username", "name", "active", "admin", "everything", "groups", "memberships", "last_sign_in"),
            "added",
        ),
        rows=_users,
        frameworks=WHO,
        is_now=True,
    ),
    Section(
        name="groups",
        title="Access review: groups",
        why="What the members of each group may do.",
        columns=("group", "members", "permissions"),
        rows=_groups,
        frameworks=WHO,
        is_now=True,
    ),
    Section(
        name="memberships",
        title="Access review: roles in tenants",
        why="Who is what to which tenant.",
        columns=("tenant", "user", "role", "since"),
        rows=_memberships,
        frameworks=WHO,
        is_now=True,
    ),
    Section(
        name="api_keys",
        title="Access review: API keys",
        why="Which applications can call the gateway, and since when with their current secret.",
        columns=(
            *("key", "tenant", "application", "name", "environment", "status", "scopes", "networks", "made"),
            *("secret_since", "expires", "revoked"),
        ),
        rows=_keys,
        frameworks=WHO,
        is_now=True,
    ),
)


def _no_dormant() -> Finding:
    limit = timezone.now() - DORMANT_AFTER
    staff = User.objects.filter(is_active=True, is_staff=True)
    never = Q(last_login=None, date_joined__lt=limit)
    if count := staff.filter(Q(last_login__lt=limit) | never).count():
        return attention(f"{count:,} of {staff.count():,} people have not signed in for 90 days: deactivate them.")
    return ok(f"None of {staff.count():,} people who may sign in to the admin has been away for 90 days.")


def _few_may_everything() -> Finding:
    active = User.objects.filter(is_active=True, is_staff=True)
    everything = active.filter(is_superuser=True).count()
    if everything and everything == active.count():
        return attention("Everybody who may sign in to the admin may do everything: give people groups instead.")
    if everything > 3 and everything * 2 > active.count():
        return attention(f"{everything:,} of {active.count():,} people may do everything: give them groups instead.")
    return ok(f"{everything:,} of {active.count():,} people may do everything; the others go by their groups.")


def _two_can_decide() -> Finding:
    may = Permission.objects.filter(codename=APPROVE, content_type__app_label="compliance")
    allowed = Q(is_superuser=True) | Q(groups__permissions__in=may) | Q(user_permissions__in=may)
    count = User.objects.filter(allowed, is_active=True, is_staff=True).distinct().count()
    if count < 2:
        return missing("Fewer than two people may approve: what two must agree to cannot be done. Add one to Legal.")
    return ok(f"{count:,} people may approve what another one asks for.")


def _keys_are_rotated() -> Finding:
    of_tenant = Coalesce(F("tenant__key_rotation_days"), Value(settings.KEY_ROTATION_DAYS), output_field=IntegerField())
    active = ApiKey.objects.filter(status=ApiKey.Status.ACTIVE).annotate(days=of_tenant)
    limit = timezone.now() - LATE_BY
    scheduled = active.filter(days__gt=0)
    late = scheduled.filter(secret_since__lt=limit - F("days") * timedelta(days=1)).count()
    if late:
        return attention(f"{late:,} of {active.count():,} active keys are a month later than their tenant's schedule.")
    if rest := active.count() - scheduled.count():
        return attention(f"{rest:,} active keys are of tenants that rotate none by schedule.")
    now = timezone.now()
    working = rotating.in_use(at=now).filter(pk__in=scheduled.values("pk"))
    undated = working.filter(rotation_due_at__isnull=True)
    if count := undated.count():
        words = f"{count:,} of {active.count():,} active keys have no date for a rotation yet: a worker sets it hourly."
        is_stuck = undated.filter(secret_since__lt=now - DATED_WITHIN).exists() or count == working.count()
        return attention(words) if is_stuck else ok(f"None is late; {words}")
    return ok(f"None of {active.count():,} active keys is late, and each that works has a date for its next rotation.")


CONTROLS = (
    Control(
        name="access-dormant",
        title="Nobody keeps an access that they do not use",
        group="Access",
        references=(
            Reference("SOC 2", "CC6.2 and CC6.3"),
            Reference("HIPAA", "164.308(a)(3)(ii)(C)"),
        ),
        wanted="Everybody who can sign in has done so within 90 days.",
        compute=_no_dormant,
        evidence=("admin:accounts_user_changelist", "Users"),
    ),
    Control(
        name="access-least",
        title="People may do what they need",
        group="Access",
        references=(
            Reference("SOC 2", "CC6.3"),
            Reference("GDPR", "article 32(4)"),
            Reference("HIPAA", "164.312(a)(1)"),
        ),
        wanted="Few may do everything; the others go by groups.",
        compute=_few_may_everything,
        evidence=("admin:accounts_user_changelist", "Users"),
    ),
    Control(
        name="two-approvers",
        title="There is a second person",
        group="Access",
        references=(Reference("SOC 2", "CC6.1"),),
        wanted="At least two people may approve what another one asks for.",
        compute=_two_can_decide,
        evidence=("admin:auth_group_changelist", "Groups"),
    ),
    Control(
        name="api-keys-rotate",
        title="API keys are rotated",
        group="Keys and backups",
        references=(Reference("SOC 2", "CC6.1"), Reference("HIPAA", "164.312(d)")),
        wanted="Each active key has a secret that is no older than its tenant's schedule says.",
        compute=_keys_are_rotated,
        evidence=("admin:accounts_apikey_changelist", "API keys"),
    ),
)


def register() -> None:
    """Adds all of this; called once, when the apps are ready."""
    sections.register(*SECTIONS)
    controls.register(*CONTROLS)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
