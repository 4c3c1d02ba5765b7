"""The usual groups of people in the admin, and what each may do. `seed_groups` adds them; afterwards they are the
administrator's to change.

Permissions are named as in `user.has_perm`, without their app; several actions on one table are written in one line.
"""

from collections.abc import Iterator, Mapping

VIEW, EDIT, WRITE = ("view",), ("view", "change"), ("view", "add", "change", "delete")
ADD = ("view", "add", "change")

Tables = Mapping[str, tuple[str, ...]]

PEOPLE_AND_LAW: Tables = {
    "accounts.tenant": VIEW,
    "accounts.application": VIEW,
    "accounts.apikey": VIEW,
    "accounts.user": VIEW,  # who may do what is what they review
    "accounts.membership": VIEW,
    "auth.group": VIEW,
    "billing.alert": VIEW,  # of an altered log and the like they are told by mail
    "billing.alertrule": VIEW,
    "compliance.subject": EDIT,
    "compliance.purpose": WRITE,
    "compliance.consentnotice": WRITE,
    "compliance.consentrecord": ADD,
    "compliance.contentpolicy": WRITE,
    "compliance.subjectrequest": ADD,
    "compliance.regime": WRITE,
    "compliance.erasure": VIEW,
    "compliance.retentionpolicy": WRITE,
    "compliance.legalhold": ADD,
    "compliance.approval": VIEW,
    "compliance.purgerun": VIEW,
    "compliance.transcript": VIEW,
    "compliance.contentdecision": VIEW,
    "compliance.jobrun": VIEW,
    "compliance.backuprun": VIEW,
    "compliance.restoredrill": VIEW,
    "compliance.auditevent": VIEW,
    "compliance.auditlog": VIEW,
    "compliance.auditcheckpoint": VIEW,
    "compliance.siemstream": VIEW,
    "compliance.controlstatement": ("view", "add"),
    "compliance.evidencepack": ("view", "add"),
    "compliance.auditexport": ("view", "add"),
    "gateway.leak": ("view", "add"),
    "gateway.scanningkey": WRITE,
    "gateway.guardpolicy": WRITE,
    "gateway.guarddictionary": WRITE,
    "gateway.guardpattern": WRITE,
    "gateway.guarddecision": VIEW,
    "gateway.reviewitem": EDIT,
}

RUNNING: Tables = {
    "accounts.tenant": VIEW,
    "accounts.application": VIEW,
    "accounts.apikey": VIEW,
    "gateway.model": WRITE,
    "gateway.deployment": WRITE,
    "gateway.provider": WRITE,
    "gateway.providercredential": EDIT,
    "gateway.leak": VIEW,
    "gateway.guardpolicy": VIEW,
    "gateway.guarddecision": VIEW,
    "billing.usagerecord": VIEW,
    "billing.budget": VIEW,
    "billing.tier": VIEW,
    "billing.subscription": VIEW,
    "billing.price": VIEW,
    "billing.alert": VIEW,
    "billing.alertrule": VIEW,
    "billing.webhookendpoint": VIEW,
    "compliance.auditevent": VIEW,
    "compliance.auditlog": VIEW,
    "compliance.auditcheckpoint": VIEW,
    "compliance.siemstream": WRITE,
    "compliance.purgerun": VIEW,
    "compliance.jobrun": VIEW,
    "compliance.approval": ("add",),  # ask that a root key is retired; Legal decides
    "compliance.backuprun": ("view", "add"),  # "add": ask for one now
    "compliance.restoredrill": ("view", "add"),
}

OFFICERS, LEGAL, OPERATORS = "Compliance officers", "Legal", "Operators"

_OFFICERS_MAY = (
    "compliance.change_auditlog",  # closes the alarm over an altered log, once it is whole again
    "compliance.identify_subject",
    "compliance.reenrol_subject",
    "compliance.read_transcript",
    "compliance.block_subject",
    "gateway.block_reviewitem",
)
_LEGAL_MAY = (
    *_OFFICERS_MAY,
    "compliance.change_approval",
    "compliance.read_restricted_transcript",
    "compliance.download_any_auditexport",
    "compliance.unrestrict_subject",  # else officers could end a restriction, read, and restrict again
)


def _spelled_out(tables: Tables) -> Iterator[str]:
    for table, verbs in tables.items():
        app, _, model = table.partition(".")
        yield from (f"{app}.{verb}_{model}" for verb in verbs)


ROLES: Mapping[str, frozenset[str]] = {
    OFFICERS: frozenset({*_spelled_out(PEOPLE_AND_LAW), *_OFFICERS_MAY}),
    LEGAL: frozenset({*_spelled_out(PEOPLE_AND_LAW), *_LEGAL_MAY}),
    OPERATORS: frozenset(_spelled_out(RUNNING)),
}
"""Name → permissions. Operators see neither conversations nor who is behind a surrogate."""
