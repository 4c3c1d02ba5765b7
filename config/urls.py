"""The control plane's paths. Those of the data plane are in `gateway/http/urls.py`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from accounts.admin import peppers
from accounts.api import claims
from billing.admin import health, reports, statements
from compliance.admin import controls, processing, purges, verification
from gateway.api.leaks import GithubReports

admin.autodiscover()  # a process that serves the data plane alone has not done so: see config/apps.py

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/reports/", admin.site.admin_view(reports.page), name="reports"),
    path("admin/statements/", admin.site.admin_view(statements.page), name="statements"),
    path("admin/ledger/", admin.site.admin_view(health.page), name="ledger-health"),
    path("admin/retention/", admin.site.admin_view(purges.page), name="retention"),
    path("admin/checklist/", admin.site.admin_view(controls.page), name="checklist"),
    path("admin/checklist/<slug:name>/", admin.site.admin_view(controls.state), name="checklist-state"),
    path("admin/records-of-processing/", admin.site.admin_view(processing.page), name="records-of-processing"),
    path("admin/peppers/", admin.site.admin_view(peppers.page), name="peppers"),
    path("admin/audit-verification/", admin.site.admin_view(verification.page), name="audit-verification"),
    path("admin/", admin.site.urls),
    path("claim/<str:token>", claims.page, name="claim"),
    path("api/billing/", include("billing.api.urls")),
    path("api/leaks/github", GithubReports.as_view(), name="github-reports"),
    path("api/", include("gateway.api.urls")),
    path("api/", include("compliance.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(), name="docs"),
]

handler400 = "config.errors.bad_request"
