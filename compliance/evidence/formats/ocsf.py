"""Events in the Open Cybersecurity Schema Framework (OCSF 1.8, https://schema.ocsf.io/1.8.0/).

Which class an event is of: sign-ins and sign-outs are Authentication; what happens to an account, Account Change; to a
membership, User Access Management or Group Management; to any other row, Entity Management; what a program asks for,
and what is read, API Activity, with the profile `ai_operation` where a model is named.
"""

from collections.abc import Mapping
from typing import Any

from compliance.evidence.formats.rows import AFTER, BEFORE, Row

VERSION = "1.8.0"
PRODUCT = {"name": "Portcullis", "vendor_name": "Portcullis", "uid": "portcullis"}
OTHER = 99
ACCOUNT_CHANGE, AUTHENTICATION, ENTITY, ACCESS, GROUP, API = 3001, 3002, 3004, 3005, 3006, 6003
NAMES = {
    ACCOUNT_CHANGE: "Account Change",
    AUTHENTICATION: "Authentication",
    ENTITY: "Entity Management",
    ACCESS: "User Access Management",
    GROUP: "Group Management",
    API: "API Activity",
}
CATEGORIES = {3: "Identity & Access Management", 6: "Application Activity"}

Activities = Mapping[str, tuple[int, str]]
_ACCOUNT: Activities = {
    "created": (1, "Create"),
    "enabled": (2, "Enable"),
    "activated": (2, "Enable"),
    "password_changed": (3, "Password Change"),
    "password_reset": (4, "Password Reset"),
    "disabled": (5, "Disable"),
    "deactivated": (5, "Disable"),
    "suspended": (5, "Disable"),
    "deleted": (6, "Delete"),
    "locked": (9, "Lock"),
}
_SESSION: Activities = {
    **dict.fromkeys(("signed_in", "sign_in", "sign_in_failed", "login", "login_failed"), (1, "Logon")),
    **dict.fromkeys(("signed_out", "sign_out", "logout"), (2, "Logoff")),
}
_ENTITY: Activities = {
    **dict.fromkeys(("created", "issued", "opened", "received", "requested", "made"), (1, "Create")),
    **dict.fromkeys(("read", "viewed", "details_read", "downloaded", "exported", "export_downloaded"), (2, "Read")),
    **dict.fromkeys(("deleted", "revoked", "closed", "erased", "purged", "destroyed"), (4, "Delete")),
    **dict.fromkeys(("moved", "renamed"), (5, "Move")),
    "enabled": (8, "Enable"),
    "disabled": (9, "Disable"),
    "activated": (10, "Activate"),
    "deactivated": (11, "Deactivate"),
    "suspended": (12, "Suspend"),
    "resumed": (13, "Resume"),
}
_ACCESS: Activities = {"created": (1, "Assign Privileges"), "deleted": (2, "Revoke Privileges")}
_GROUP: Activities = {"created": (6, "Create"), "deleted": (5, "Delete")}
_API: Activities = {verb: told for verb, told in _ENTITY.items() if told[0] <= 4}
_UPDATE = (3, "Update")
_ACCOUNTS, _GROUPS, _MEMBERSHIPS = {"user"}, {"group", "role"}, {"membership"}
_READING = {"read", "viewed", "details_read", "downloaded", "export_downloaded"}
_ASKED = {"request", "requests", "apirequest", "transcript"}
"""Kinds of targets that are requests of programs, and what was said in them."""
_USER_TYPES = {"user": (1, "User"), "key": (4, "Service"), "command": (2, "Admin"), "anonymous": (0, "Unknown")}
_OUTCOMES = {"success": (1, "Success", 1, "Informational")}


def event(row: Row) -> dict[str, Any]:
    """One event as JSON values."""
    class_uid, (activity_id, activity) = classified(row)
    failed = (2, "Failure", 3, "Medium")
    status_id, status, severity_id, severity = _OUTCOMES.get(row.text("outcome") or "success", failed)
    model = _model(row) if class_uid == API else {}
    rendered = {
        "category_uid": class_uid // 1000,
        "category_name": CATEGORIES[class_uid // 1000],
        "class_uid": class_uid,
        "class_name": NAMES[class_uid],
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{NAMES[class_uid]}: {activity}",
        "time": row.time_ms,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": f"{row.text('action')} {row.text('target_kind')} {row.text('target_id')}".strip(),
        "metadata": _metadata(row, profiles=("ai_operation",) if model else ()),
        "actor": _actor(row),
        "src_endpoint": _source(row),
        **_about(row, class_uid),
        **model,
        "unmapped": _unmapped(row),
    }
    if reason := row.text("reason"):
        rendered["status_detail" if status_id == 2 else "comment" if class_uid == ENTITY else "status_detail"] = reason
    if agent := row.text("user_agent"):
        rendered["http_request"] = {"user_agent": agent}
    return rendered


def classified(row: Row) -> tuple[int, tuple[int, str]]:
    """The class of an event, and which activity of that class it is."""
    kind, verb = row.text("target_kind"), row.text("action").rpartition(".")[2]
    other = (OTHER, verb.replace("_", " ").capitalize() or "Redacted")
    if verb in _SESSION:
        return AUTHENTICATION, _SESSION[verb]
    if kind in _ACCOUNTS:
        return ACCOUNT_CHANGE, _ACCOUNT.get(verb, other)
    if kind in _MEMBERSHIPS:
        return ACCESS, _ACCESS.get(verb, other)
    if kind in _GROUPS:
        return GROUP, _GROUP.get(verb, other)
    if kind in _ASKED or verb in _READING or row.text("outcome") == "refused":
        return API, _API.get(verb, other)
    return ENTITY, _ENTITY.get(verb, _UPDATE if verb in ("changed", "updated") else other)


def _metadata(row: Row, *, profiles: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "version": VERSION,
        "product": PRODUCT,
        "uid": row.text("id"),
        "log_name": row.origin,
        "log_provider": "portcullis",
        "event_code": row.text("action"),
        "logged_time": row.time_ms,
        "original_time": row.text("occurred_at"),
        "profiles": [*profiles],
    }
    if row.index is not None:
        told["sequence"] = row.index
    if request_id := row.text("request_id"):
        told["correlation_uid"] = request_id
    return told


def _actor(row: Row) -> dict[str, Any]:
    kind = row.text("actor_kind") or "redacted"
    type_id, type_name = _USER_TYPES.get(kind, (3, "System"))
    uid = row.text("actor_id") or "redacted"
    name = kind if uid == kind else f"{kind} {uid}"  # as in `anonymous` and `system`
    return {"user": {"uid": uid, "type_id": type_id, "type": type_name, "name": name}, "app_name": kind}


def _source(row: Row) -> dict[str, Any]:
    """From where. What runs inside has no address; the schema wants a name then."""
    return {"ip": row.text("ip")} if row.text("ip") else {"svc_name": "portcullis", "name": "portcullis"}


def _about(row: Row, class_uid: int) -> dict[str, Any]:
    """What the class requires to be told about the object."""
    kind, uid = row.text("target_kind") or "redacted", row.text("target_id") or "redacted"
    match class_uid:
        case 3001:
            return {"user": {"uid": uid}}
        case 3002:
            return {"user": {"uid": uid}, "service": {"name": "Portcullis"}, "is_remote": bool(row.text("ip"))}
        case 3005:
            after = row.changed(AFTER) or row.changed(BEFORE)
            role = str(after.get("role") or "member")
            who = str(after.get("user_id") or uid)
            return {"user": {"uid": who}, "privileges": [role], "resources": [{"uid": uid, "type": kind}]}
        case 3006:
            privileges = row.changed(AFTER).get("permissions")
            listed = [str(each) for each in privileges] if isinstance(privileges, list) else []
            return {"group": {"uid": uid, "type": kind}, "privileges": listed}
        case 3004:
            return {"entity": {"uid": uid, "type": kind, "name": f"{kind} {uid}", "version": row.text("version")}}
        case _:
            told = {"operation": row.text("action") or "redacted", "service": {"name": "Portcullis"}}
            request = {"request": {"uid": row.text("request_id")}} if row.text("request_id") else {}
            return {"api": {**told, **request}, "resources": [{"uid": uid, "type": kind}]}


def _model(row: Row) -> dict[str, Any]:
    """The model that was asked for, where the event names one."""
    told = {**row.changed(BEFORE), **row.changed(AFTER)}
    name = told.get("model")
    if not isinstance(name, str) or not name:
        return {}
    return {"ai_model": {"name": name, "ai_provider": str(told.get("provider") or "Unknown")}}


def _unmapped(row: Row) -> dict[str, Any]:
    """What the schema has no place for; also what the verifier compares with the leaf."""
    told: dict[str, Any] = {"tenant_id": row.fields.get("tenant_id")}
    for name, prefix in (("before", BEFORE), ("after", AFTER)):
        if changed := row.changed(prefix):
            told[name] = changed
    if row.leaf:
        told["leaf"] = row.leaf
    if row.redacted:
        told["redacted"] = sorted(row.redacted)
    return told
