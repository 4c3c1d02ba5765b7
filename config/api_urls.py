"""The paths that the API schema describes: the data plane's, and of the control plane those under `/api`."""

from django.urls import include, path

from accounts.api import schema as _of_keys  # noqa: F401 - says how keys are sent
from gateway.http import schema as _of_the_data_plane  # noqa: F401 - describes its views

urlpatterns = [
    path("", include("gateway.http.urls")),
    path("api/billing/", include("billing.api.urls")),
    path("api/", include("gateway.api.urls")),
    path("api/", include("compliance.api.urls")),
]
