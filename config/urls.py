"""The control plane's paths. Those of the data plane are in `gateway/http/urls.py`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from billing.admin import health, reports, statements

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/reports/", admin.site.admin_view(reports.page), name="reports"),
    path("admin/statements/", admin.site.admin_view(statements.page), name="statements"),
    path("admin/ledger/", admin.site.admin_view(health.page), name="ledger-health"),
    path("admin/", admin.site.urls),
    path("api/billing/", include("billing.api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(), name="docs"),
]

handler400 = "config.errors.bad_request"
