"""What this app keeps of people, and what Django keeps of those who sign in, column by column."""

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session

from accounts.actions import tenants
from accounts.models import (
    ApiKey,
    Application,
    Membership,
    RetiringSecret,
    SecretClaim,
    SecretUse,
    Tenant,
    User,
)
from compliance.registry import Class, register
from compliance.registry import classified as of
from compliance.stores import table, tenants_eraser

TENANTS = (
    table(
        Tenant,
        "Tenants",
        Class.POLICY,
        of(
            nothing="id slug name time_zone status key_rotation_days key_overlap_days created_at closed_at",
            opens="pseudonym_salt",
        ),
        tenant="pk",
        why="The organisations whose applications use the gateway.",
        erase_tenant=tenants_eraser(tenants.forget_salt),
    ),
    table(
        Application,
        "Applications",
        Class.POLICY,
        of(nothing="id tenant_id slug name status created_at"),
        tenant="tenant_id",
        why="The programs that use the gateway.",
    ),
    table(
        ApiKey,
        "API keys",
        Class.POLICY,
        of(
            nothing="id tenant_id application_id name environment public_id pepper_version last_four scopes"
            " allowed_models"
            " allowed_networks expires_at status created_at revoked_at secret_since rotation_due_at",
            opens="digest",
        ),
        tenant="tenant_id",
        why="What applications prove themselves with; only a keyed hash of the secret is kept.",
    ),
    table(
        RetiringSecret,
        "Retiring secrets of API keys",
        Class.POLICY,
        of(
            nothing="id tenant_id key_id public_id pepper_version last_four created_at ends_at ended_at",
            opens="digest",
        ),
        tenant="tenant_id",
        why="Secrets that were replaced and work for some days more; only a keyed hash is kept, and only so long.",
    ),
    table(
        SecretClaim,
        "Links to new secrets",
        Class.POLICY,
        of(
            nothing="id tenant_id key_id replaces_id public_id state created_at expires_at closed_at",
            opens="link_hash link secret",
        ),
        tenant="tenant_id",
        why="Reveal a new secret once. Link and secret are sealed, and gone when it is claimed.",
    ),
    table(
        SecretUse,
        "Last use of secrets",
        Class.POLICY,
        of(nothing="public_id key_id last_used_at"),
        tenant="key__tenant_id",
        why="Tells whether anybody uses a secret still.",
    ),
    table(
        Membership,
        "Memberships",
        Class.POLICY,
        of(nothing="id tenant_id created_at", staff="user_id role"),
        tenant="tenant_id",
        why="What each user is to a tenant.",
    ),
)

STAFF = (
    table(
        User,
        "Users",
        Class.POLICY,
        of(
            nothing="id",
            staff="username first_name last_name email last_login is_superuser is_staff is_active date_joined",
            opens="password",
        ),
        why="The people who sign in to the admin.",
    ),
    table(
        User.groups.through,
        "Groups of users",
        Class.POLICY,
        of(nothing="id group_id", staff="user_id"),
        why="Who is in which group.",
    ),
    table(
        User.user_permissions.through,
        "Permissions of users",
        Class.POLICY,
        of(nothing="id permission_id", staff="user_id"),
        why="Who may do what.",
    ),
    table(Group, "Groups", Class.POLICY, of(nothing="id name"), why="Sets of permissions."),
    table(
        Group.permissions.through,
        "Permissions of groups",
        Class.POLICY,
        of(nothing="id group_id permission_id"),
        why="What each group may do.",
    ),
    table(
        Permission,
        "Permissions",
        Class.POLICY,
        of(nothing="id name content_type_id codename"),
        why="What there is to be allowed.",
    ),
    table(
        ContentType, "Kinds of rows", Class.POLICY, of(nothing="id app_label model"), why="What permissions are about."
    ),
    table(
        Session,
        "Sessions",
        Class.METADATA,
        of(nothing="expire_date", staff="session_data", opens="session_key"),
        why="Keep people signed in, for hours.",
        until="hours: until they sign out, or it runs out",
    ),
    table(
        LogEntry,
        "Log of the admin by Django",
        Class.METADATA,
        of(nothing="id action_time content_type_id object_id object_repr action_flag change_message", staff="user_id"),
        why="Nothing: it stays empty, the audit log takes its place.",
        until="nothing is ever written there",
    ),
)


def register_stores() -> None:
    """Registers what this app keeps; called once, when the apps are ready."""
    register(*TENANTS, *STAFF)
