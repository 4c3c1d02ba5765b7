"""The control plane's paths. Those of the data plane are in `gateway/http/urls.py`."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
