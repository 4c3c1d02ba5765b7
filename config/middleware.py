"""What every request of the control plane is given: the client's address and an id."""

import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config.addresses import client_address, networks

GetResponse = Callable[[HttpRequest], HttpResponse]


class ClientAddress:
    """Replaces REMOTE_ADDR by the client's address where a trusted proxy reports it: limits and audit read it there."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.trusted = networks(settings.TRUSTED_PROXIES)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        forwarded_for = request.headers.get("X-Forwarded-For", "")
        request.META["REMOTE_ADDR"] = client_address(request.META.get("REMOTE_ADDR", ""), forwarded_for, self.trusted)
        return self.get_response(request)


class RequestId:
    """Gives the request an id, which audit events carry and the answer names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.META["REQUEST_ID"] = str(uuid.uuid4())
        response = self.get_response(request)
        response["X-Request-ID"] = request.META["REQUEST_ID"]
        return response
