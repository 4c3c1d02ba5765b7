"""The paths that the API schema describes: the data plane's, and of the control plane those under `/api`."""

from django.urls import include, path

urlpatterns = [path("", include("gateway.http.urls")), path("api/billing/", include("billing.api.urls"))]
