"""The paths for applications, below `/api/`."""

from django.urls import path, re_path

from compliance.api.audit_exports import AuditExportFile, AuditExports, OneAuditExport
from compliance.api.audit_log import Checkpoints, Consistency, Event, Events
from compliance.api.consents import Consents, Receipt, Withdraw
from compliance.api.notices import Notice, Notices
from compliance.api.requests import Code, Export, OneRequest, OneSubject, SubjectRequests, Verify
from compliance.api.signing_keys import SigningKeys
from compliance.api.subjects import Subjects

app_name = "compliance"
urlpatterns = [
    path("audit/checkpoints", Checkpoints.as_view(), name="audit-checkpoints"),
    path("audit/consistency", Consistency.as_view(), name="audit-consistency"),
    path("audit/events", Events.as_view(), name="audit-events"),
    path("audit/events/<int:event_id>", Event.as_view(), name="audit-event"),
    path("audit/exports", AuditExports.as_view(), name="audit-exports"),
    path("audit/exports/<uuid:export_id>", OneAuditExport.as_view(), name="audit-export"),
    path("audit/exports/<uuid:export_id>/file", AuditExportFile.as_view(), name="audit-export-file"),
    path("consents/", Consents.as_view(), name="consents"),
    path("consents/withdraw", Withdraw.as_view(), name="withdraw"),
    path("consents/<uuid:receipt_id>/receipt", Receipt.as_view(), name="receipt"),
    path("notices/", Notices.as_view(), name="notices"),
    re_path(r"^notices/(?P<sha256>[0-9a-f]{64})$", Notice.as_view(), name="notice"),
    path("signing-keys/", SigningKeys.as_view(), name="signing-keys"),
    path("subjects/", Subjects.as_view(), name="subjects"),
    # An external id may hold anything, slashes and line ends included.
    re_path(r"^subjects/(?P<external_id>(?s:.+))$", OneSubject.as_view(), name="subject"),
    path("subject-requests/", SubjectRequests.as_view(), name="requests"),
    path("subject-requests/<uuid:request_id>", OneRequest.as_view(), name="request"),
    path("subject-requests/<uuid:request_id>/verify", Verify.as_view(), name="verify"),
    path("subject-requests/<uuid:request_id>/code", Code.as_view(), name="code"),
    path("subject-requests/<uuid:request_id>/export", Export.as_view(), name="export"),
]
