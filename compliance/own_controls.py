"""The controls of this app, computed from its tables, and those that somebody has to state."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Min
from django.utils import timezone

from compliance import processing, selectors_backups, selectors_requests, verification
from compliance.controls import Control, Finding, Reference, attention, failed, missing, ok
from compliance.keyring import store
from compliance.keyring.models import TenantKey
from compliance.models import (
    Approval,
    AuditCheckpoint,
    AuditEvent,
    AuditLog,
    AuditPending,
    Erasure,
    JobRun,
    PurgeRun,
    RetentionPolicy,
    SiemStream,
)
from compliance.registry import Class, stores
from compliance.retention import rules
from compliance.retention_rules import rule
from compliance.siem import lag

VERIFIED_WITHIN = timedelta(hours=36)
"""It runs each night."""
SEQUENCED_WITHIN = timedelta(minutes=10)
DELIVERED_WITHIN = timedelta(hours=1)
STANDS_STILL_AFTER = timedelta(minutes=15)
PURGED_WITHIN = timedelta(hours=36)
KEYS_MAY_BE_LATE = timedelta(days=30)
SIX_MONTHS_DAYS, SIX_YEARS_DAYS = 184, 2190
"""As retention policies count them: six months where they are longest, and six years of 365 days."""
A_YEAR = timedelta(days=365)
GRAVE = {"rootkey.retired": "rootkey.retired", "legalhold.released": "legal_hold.released"}
"""Events of what needs two people, and what approvals call it. Off-boardings, which export what was said, have rows."""


def _soc2(where: str) -> Reference:
    return Reference("SOC 2", where)


def _gdpr(where: str) -> Reference:
    return Reference("GDPR", where)


def _hipaa(where: str) -> Reference:
    return Reference("HIPAA", where)


def _ai_act(where: str) -> Reference:
    return Reference("EU AI Act", where)


# --- the audit log -----------------------------------------------------------------------------------------------


def _verified() -> Finding:
    if (alarm := verification.alarm()) is not None:
        return failed(f"The audit log was found altered: {alarm.findings:,} findings that nobody has dealt with.")
    last = next(filter(verification.is_clean, verification.runs()[:100]), None)
    if last is None:
        return missing("The whole log was never verified. Run manage.py verify_audit, or wait for the night.")
    if timezone.now() - last.started_at > VERIFIED_WITHIN:
        return attention(f"It was last verified on {last.started_at:%Y-%m-%d}: the nightly run has not worked since.")
    return ok(f"All of it was verified on {last.started_at:%Y-%m-%d %H:%M} UTC, and nothing was found.")


def _signed() -> Finding:
    oldest = AuditPending.objects.order_by("event_id").first()
    event = AuditEvent.objects.filter(pk=oldest.event_id).first() if oldest else None
    if event is not None and timezone.now() - event.occurred_at > SEQUENCED_WITHIN:
        return attention(f"Events since {event.occurred_at:%Y-%m-%d %H:%M} have no place yet: is the worker running?")
    last = AuditCheckpoint.objects.order_by("-id").first()
    if last is None:
        return missing("No checkpoint was signed yet: a worker does so within a minute.")
    return ok(f"Each event has its place; the last checkpoint was signed on {last.signed_at:%Y-%m-%d %H:%M} UTC.")


def _kept_outside() -> Finding:
    late = AuditCheckpoint.objects.filter(delivered_at=None, signed_at__lt=timezone.now() - DELIVERED_WITHIN)
    if count := late.count():
        return attention(f"{count:,} checkpoints are in the database only: a place outside cannot be written to.")
    if not AuditCheckpoint.objects.exists():
        return missing("No checkpoint was signed yet.")
    return ok(f"All checkpoints are kept in {' and '.join(settings.AUDIT_SINKS)}.")


def _delivered() -> Finding:
    active = list(SiemStream.objects.filter(state=SiemStream.State.ACTIVE).select_related("progress"))
    if failing := [row.name for row in active if row.progress.failing_since]:
        return attention(f"Nothing arrives at {', '.join(failing)}.")
    waiting, limit = lag.waiting(active), timezone.now() - STANDS_STILL_AFTER
    if still := [row.name for row in active if waiting[row.pk] and _moved(row) < limit]:
        return attention(f"Events wait for {', '.join(still)}, and nothing was tried. Is a worker running?")
    if not active:
        return attention("The log is delivered nowhere: nobody is warned by another system of what it tells.")
    return ok(f"It is delivered to {', '.join(row.name for row in active)}.")


def _moved(stream: SiemStream) -> datetime:
    """When the stream last delivered something, or was made."""
    return stream.progress.delivered_at or stream.created_at


def _kept_days(data_class: Class, least: int, law: str) -> Finding:
    days = rule(rules(data_class).default, None).days
    if days < least:
        return attention(f"It is kept for {days:,} days; {law} wants {least:,}. Change its retention policy.")
    return ok(f"It is kept for {days:,} days by default; {law} wants {least:,}.")


# --- keys and backups --------------------------------------------------------------------------------------------


def _keys_rotate() -> Finding:
    if not settings.TENANT_KEY_DAYS:
        return attention("Tenants' keys are not rotated by schedule: set TENANT_KEY_DAYS.")
    limit = timezone.now() - timedelta(days=settings.TENANT_KEY_DAYS) - KEYS_MAY_BE_LATE
    with store.answering():
        late = TenantKey.objects.filter(created_at__lt=limit, retired_at=None, destroyed_at=None).count()
    if late:
        return attention(f"{late:,} tenants' keys are older than {settings.TENANT_KEY_DAYS} days and a month.")
    return ok(f"No tenant's key in use is older than {settings.TENANT_KEY_DAYS} days and a month.")


def _backed_up() -> Finding:
    since = selectors_backups.oldest_needed()
    if since is None:
        return missing("There is no good backup of data and keys.")
    if selectors_backups.is_backup_overdue():
        return attention(f"The last good backup is of {since:%Y-%m-%d %H:%M} UTC.")
    return ok(f"The last good backup of data and keys is of {since:%Y-%m-%d %H:%M} UTC.")


def _restorable() -> Finding:
    last = selectors_backups.last_good_drill()
    if last is None:
        return missing("No restore was ever tried with success.")
    when = f"{last.started_at:%Y-%m-%d}"
    if selectors_backups.is_drill_overdue():
        return attention(f"The last restore that worked was tried on {when}.")
    return ok(f"A restore was tried on {when}: it took {last.rto_s or 0:,} s, of data {last.rpo_s or 0:,} s old.")


# --- people's rights and retention -------------------------------------------------------------------------------


def _answered() -> Finding:
    open_ = selectors_requests.open_requests()
    if late := open_.filter(due_at__lte=timezone.now()).count():
        return failed(f"{late:,} subject requests are overdue.")
    return ok(f"None is overdue, of {open_.count():,} that are open.")


def _erased() -> Finding:
    if count := Erasure.objects.filter(state=Erasure.State.INCOMPLETE).count():
        return failed(f"{count:,} erasures are not complete: something of erased people may be left.")
    done = Erasure.objects.filter(state=Erasure.State.COMPLETE).count()
    return ok(f"None is incomplete; {done:,} were completed, each with a certificate.")


def _ledger_kept() -> Finding:
    places = len(settings.ERASURE_LEDGER)
    if not places:
        return missing("ERASURE_LEDGER names no file: a restored backup would bring back erased people.")
    if places == 1:
        return attention("It is kept in one file: a second one in another place survives the loss of the first.")
    return ok(f"It is kept in {places} files.")


def _purged() -> Finding:
    last = PurgeRun.objects.order_by("-id").first()
    if last is None and timezone.now() - _began() < PURGED_WITHIN:
        return attention("Nothing was purged yet: this installation is new, and it is done each night.")
    if last is None:
        return missing("Nothing was ever purged: is the worker running?")
    if last.state in (PurgeRun.State.FAILED, PurgeRun.State.STOPPED):
        return failed(f"The purge of {last.as_of} did not end well: what is due is still there.")
    if timezone.now() - last.started_at > PURGED_WITHIN:
        return attention(f"The last purge was on {last.started_at:%Y-%m-%d}.")
    return ok(f"The last purge, of {last.as_of}, removed {last.removed_rows:,} rows, with a signed report.")


def _began() -> datetime:
    """When this installation began to write its audit log."""
    found = AuditLog.objects.aggregate(at=Min("created_at"))["at"]
    if found is None and (event := AuditEvent.objects.order_by("id").first()) is not None:
        found = event.occurred_at
    return found or timezone.now()


def _policies() -> Finding:
    there = set(RetentionPolicy.objects.filter(tenant=None).values_list("data_class", flat=True))
    lacking = [str(label) for value, label in RetentionPolicy.DataClass.choices if value not in there]
    if lacking:
        return missing(f"No policy for all tenants: {', '.join(lacking)}.")
    return ok(f"Each of the {len(there)} classes of data has a policy.")


def _recorded() -> Finding:
    unexplained = [each.title for each in stores() if each.is_personal and not each.why]
    if unexplained:
        return attention(f"Nobody says why this is kept: {', '.join(unexplained)}.")
    return ok(f"{len(processing.activities()):,} activities, made of what is configured now.")


# --- who may do what ---------------------------------------------------------------------------------------------


def _two_people() -> Finding:
    """Of each grave action that was done, not of what is configured: was it agreed to by another person?"""
    since = timezone.now() - A_YEAR
    agreed = Approval.objects.filter(state=Approval.State.APPROVED).exclude(decided_by__in=("", F("requested_by")))
    known = set(agreed.values_list("action", "target_kind", "target_id"))
    done = _grave_since(since)
    if alone := [each for each in done if each not in known]:
        named = ", ".join(f"{action} of {kind} {pk}" for action, kind, pk in alone[:3])
        return failed(f"{len(alone):,} grave actions of the last year were agreed to by nobody else, as {named}.")
    waiting = Approval.objects.filter(state=Approval.State.REQUESTED, expires_at__gt=timezone.now()).count()
    told = f"; {waiting:,} wait for a decision" if waiting else ""
    if not done:
        return ok(f"None was done within the last year{told}.")
    return ok(f"Another person agreed to each of the {len(done):,} grave actions of the last year{told}.")


def _grave_since(since: datetime) -> list[tuple[str, str, str]]:
    """What was done that needs two people: the action as approvals call it, and what it was done to."""
    events = AuditEvent.objects.filter(action__in=GRAVE, outcome="success", occurred_at__gte=since).order_by("pk")
    done = [(GRAVE[event.action], event.target_kind, event.target_id) for event in events]
    left = Erasure.objects.filter(surrogate="", requested_at__gte=since).order_by("requested_at")
    return done + [("tenant.offboarded", "tenant", str(each.tenant_id)) for each in left]


def _encrypted_ways() -> Finding:
    if not settings.HTTPS_ONLY:
        return attention("HTTPS_ONLY is not set: whether ways are encrypted is left to what stands in front.")
    return ok("HTTPS is required, and browsers are told so.")


def _jobs_end() -> Finding:
    since = timezone.now() - timedelta(days=7)
    failed = JobRun.objects.filter(state=JobRun.State.FAILED, started_at__gte=since).count()
    if failed:
        return attention(f"{failed:,} long jobs failed within the last week.")
    return ok("No long job failed within the last week.")


LOG, KEYS, RIGHTS, ACCESS, STATED = "Audit log", "Keys and backups", "People's rights", "Access", "Stated by people"
JOBS = ("admin:compliance_jobrun_changelist", "Jobs")
BACKUPS = ("admin:compliance_backuprun_changelist", "Backups")
CHECKPOINTS = ("admin:compliance_auditcheckpoint_changelist", "Checkpoints")
POLICIES = ("admin:compliance_retentionpolicy_changelist", "Retention policies")

CONTROLS = (
    Control(
        name="audit-verified",
        title="The audit log is verified",
        group=LOG,
        references=(_soc2("CC7.2"), _hipaa("164.312(b)"), _ai_act("article 12")),
        wanted="Each night every event is checked against the signed roots of its log.",
        compute=_verified,
        evidence=("audit-verification", "Verification"),
    ),
    Control(
        name="audit-signed",
        title="Events are sealed within minutes",
        group=LOG,
        references=(_soc2("CC7.2"), _hipaa("164.312(c)(1)")),
        wanted="Each event has a place in its log, under a signed checkpoint.",
        compute=_signed,
        evidence=CHECKPOINTS,
    ),
    Control(
        name="audit-outside",
        title="Checkpoints are kept outside of the database",
        group=LOG,
        references=(_soc2("CC7.2"), _gdpr("article 5(1)(f)")),
        wanted="Who can write to the database cannot rewrite what it was.",
        compute=_kept_outside,
        evidence=CHECKPOINTS,
    ),
    Control(
        name="audit-delivered",
        title="The audit log is delivered to a SIEM",
        group=LOG,
        references=(_soc2("CC7.2"), _hipaa("164.308(a)(1)(ii)(D)")),
        wanted="Another system sees events as they happen, and warns.",
        compute=_delivered,
        evidence=("admin:compliance_siemstream_changelist", "SIEM streams"),
    ),
    Control(
        name="audit-kept-six-months",
        title="Logs are kept for six months at least",
        group=LOG,
        references=(_ai_act("articles 19 and 26(6)"),),
        wanted="Logs are kept for at least six months.",
        compute=lambda: _kept_days(Class.AUDIT, SIX_MONTHS_DAYS, "the AI Act"),
        evidence=POLICIES,
    ),
    Control(
        name="audit-kept-six-years",
        title="Logs are kept for six years",
        group=LOG,
        references=(_hipaa("164.316(b)(2)(i)"),),
        wanted="Where HIPAA applies, records of actions are kept for six years.",
        compute=lambda: _kept_days(Class.AUDIT, SIX_YEARS_DAYS, "HIPAA"),
        evidence=POLICIES,
    ),
    Control(
        name="keys-rotate",
        title="Tenants' keys are rotated",
        group=KEYS,
        references=(_soc2("CC6.1"), _gdpr("article 32(1)(a)"), _hipaa("164.312(a)(2)(iv)")),
        wanted="No key wraps anything new for longer than the schedule says.",
        compute=_keys_rotate,
        evidence=("admin:keys_tenantkey_changelist", "Tenant keys"),
    ),
    Control(
        name="backups",
        title="Backups are made",
        group=KEYS,
        references=(_soc2("A1.2"), _gdpr("article 32(1)(b)"), _hipaa("164.308(a)(7)(ii)(A)")),
        wanted="Each day there is a good backup of data and keys, apart and encrypted.",
        compute=_backed_up,
        evidence=BACKUPS,
    ),
    Control(
        name="restore-drills",
        title="Backups can be restored",
        group=KEYS,
        references=(_soc2("A1.3"), _gdpr("article 32(1)(c) and (d)"), _hipaa("164.308(a)(7)(ii)(D)")),
        wanted="Every week a backup is restored on trial and looked at; the last success is at most two weeks old.",
        compute=_restorable,
        evidence=("admin:compliance_restoredrill_changelist", "Restore drills"),
    ),
    Control(
        name="requests-answered",
        title="Subject requests are answered in time",
        group=RIGHTS,
        references=(_gdpr("article 12(3)"), _hipaa("164.524(b)")),
        wanted="No request is open beyond its due date.",
        compute=_answered,
        evidence=("admin:compliance_subjectrequest_changelist", "Subject requests"),
    ),
    Control(
        name="erasures-complete",
        title="Erasures are complete",
        group=RIGHTS,
        references=(_gdpr("article 17"), _soc2("P4.3")),
        wanted="What was begun is verified and certified.",
        compute=_erased,
        evidence=("admin:compliance_erasure_changelist", "Erasures"),
    ),
    Control(
        name="erasure-ledger",
        title="Erasures outlive restores",
        group=RIGHTS,
        references=(_gdpr("articles 5(1)(e) and 17"),),
        wanted="A list of all erasures is kept where no restore of a database reaches.",
        compute=_ledger_kept,
        evidence=("admin:compliance_erasure_changelist", "Erasures"),
    ),
    Control(
        name="retention-policies",
        title="Each class of data has a retention policy",
        group=RIGHTS,
        references=(_gdpr("article 5(1)(e)"), _soc2("C1.1"), _soc2("P4.2")),
        wanted="It is decided for how long everything is kept.",
        compute=_policies,
        evidence=POLICIES,
    ),
    Control(
        name="purges",
        title="What is due is removed",
        group=RIGHTS,
        references=(_gdpr("article 5(1)(e)"), _soc2("C1.2")),
        wanted="Each night what is due goes, unless a law or a legal hold keeps it.",
        compute=_purged,
        evidence=("admin:compliance_purgerun_changelist", "Purge runs"),
    ),
    Control(
        name="records-of-processing",
        title="Records of processing",
        group=RIGHTS,
        references=(_gdpr("article 30"),),
        wanted="What is processed about people is on record, with its reason.",
        compute=_recorded,
        evidence=("records-of-processing", "Records of processing"),
    ),
    Control(
        name="two-people",
        title="Grave actions need two people",
        group=ACCESS,
        references=(_soc2("CC6.1"), _soc2("CC8.1"), _hipaa("164.308(a)(3)")),
        wanted="Nobody alone can destroy a root key, lift a legal hold or export a tenant's content.",
        compute=_two_people,
        evidence=("admin:compliance_approval_changelist", "Approvals"),
    ),
    Control(
        name="encrypted-ways",
        title="Ways are encrypted",
        group=ACCESS,
        references=(_soc2("CC6.7"), _gdpr("article 32(1)(a)"), _hipaa("164.312(e)(1)")),
        wanted="Browsers and programs reach this installation over HTTPS only.",
        compute=_encrypted_ways,
    ),
    Control(
        name="jobs-end",
        title="Long jobs end well",
        group=ACCESS,
        references=(_soc2("CC7.1"),),
        wanted="What runs by itself works, and somebody notices where it does not.",
        compute=_jobs_end,
        evidence=JOBS,
    ),
    Control(
        name="incident-plan",
        title="There is a plan for incidents",
        group=STATED,
        references=(_soc2("CC7.4"), _gdpr("articles 33 and 34"), _hipaa("164.308(a)(6)")),
        wanted="Who does what after a breach is written down, and was practised within a year.",
    ),
    Control(
        name="training",
        title="Staff are trained",
        group=STATED,
        references=(_soc2("CC1.4"), _hipaa("164.308(a)(5)"), _ai_act("article 4")),
        wanted="Everybody with a sign-in was trained in security and in the use of AI within a year.",
    ),
    Control(
        name="contracts",
        title="Providers are under contract",
        group=STATED,
        references=(_gdpr("article 28"), _hipaa("164.308(b)"), _soc2("CC9.2")),
        wanted="With each provider of models there is a contract on processing, and where HIPAA applies a BAA.",
    ),
    Control(
        name="impact-assessment",
        title="Impacts are assessed",
        group=STATED,
        references=(_gdpr("article 35"), _ai_act("article 27")),
        wanted="Where the use of models may put people at risk, that was assessed before it began.",
    ),
    Control(
        name="human-oversight",
        title="People oversee high-risk uses",
        group=STATED,
        references=(_ai_act("articles 14 and 26(2)"),),
        wanted="For each high-risk use somebody competent is named who can intervene.",
    ),
)
