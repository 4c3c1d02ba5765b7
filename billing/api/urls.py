"""The API's paths, below `/api/billing/`."""

from django.urls import path

from billing.api.reports import Reports

app_name = "billing"
urlpatterns = [path("reports", Reports.as_view(), name="reports")]
