"""The data plane's paths. Those of the control plane are in `config/urls.py`."""

from django.urls import path

from gateway.http import exposition, probes
from gateway.http.views import ChatCompletions, ModelDetail, Models, Moderations

urlpatterns = [
    path("v1/chat/completions", ChatCompletions.as_view(), name="chat-completions"),
    path("v1/moderations", Moderations.as_view(), name="moderations"),
    path("v1/models", Models.as_view(), name="models"),
    path("v1/models/<path:model>", ModelDetail.as_view(), name="model"),
    path("livez", probes.livez),
    path("readyz", probes.readyz),
    path("metrics", exposition.metrics),
]
