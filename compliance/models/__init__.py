from compliance.models.approvals import Approval
from compliance.models.audit import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending, AuditTile
from compliance.models.backups import BackupRun, RestoreDrill
from compliance.models.bundles import AuditExport
from compliance.models.consents import ConsentNotice, ConsentRecord, Purpose
from compliance.models.erasures import Erasure, ErasureMark, ErasureStep
from compliance.models.holds import LegalHold
from compliance.models.jobs import JobRun
from compliance.models.packs import ControlStatement, EvidencePack
from compliance.models.policies import ContentPolicy
from compliance.models.purges import PurgeRun
from compliance.models.requests import (
    Rectification,
    Regime,
    RequestStep,
    SubjectExport,
    SubjectRequest,
    SubjectRequestEvent,
)
from compliance.models.retention import RetentionPolicy
from compliance.models.siem import SiemCursor, SiemProgress, SiemStream
from compliance.models.subjects import Subject
from compliance.models.tallies import AuditTally
from compliance.models.transcripts import ContentDecision, Transcript

__all__ = [
    "Approval",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditExport",
    "AuditLeaf",
    "AuditLog",
    "AuditPending",
    "AuditTally",
    "AuditTile",
    "BackupRun",
    "ConsentNotice",
    "ConsentRecord",
    "ContentDecision",
    "ContentPolicy",
    "ControlStatement",
    "Erasure",
    "ErasureMark",
    "ErasureStep",
    "EvidencePack",
    "JobRun",
    "LegalHold",
    "PurgeRun",
    "Purpose",
    "Rectification",
    "Regime",
    "RequestStep",
    "RestoreDrill",
    "RetentionPolicy",
    "SiemCursor",
    "SiemProgress",
    "SiemStream",
    "Subject",
    "SubjectExport",
    "SubjectRequest",
    "SubjectRequestEvent",
    "Transcript",
]
