"""The OpenAPI schema of `/v1` says what the server does: every status it answers with, in the shape that is written."""

from collections.abc import Callable
from functools import cache
from typing import Any

import httpx2
import jsonschema_rs
import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.http import schema as _of_the_data_plane  # noqa: F401 - describes its views
from gateway.models import Model
from tests.system.clients import PATH, Caller, a_caller
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.system

CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance, allow_header_conformance]
MODELS, MODEL, MODERATIONS = "/v1/models", "/v1/models/{model}", "/v1/moderations"


@cache
def api() -> Any:
    generator: Any = SchemaGenerator
    return schemathesis.openapi.from_dict(generator(urlconf="gateway.http.urls").get_schema(request=None, public=True))


def require_conformance(answer: httpx2.Response, method: str, path: str) -> None:
    """Fails unless the status and the body are as the schema has them."""
    documented = api().raw_schema["paths"][path][method.lower()]["responses"]
    assert str(answer.status_code) in documented
    kind = answer.headers["content-type"].partition(";")[0]
    content = documented[str(answer.status_code)]["content"]
    assert kind in content
    body = answer.json() if kind == "application/json" else answer.text
    jsonschema_rs.validator_for(content[kind]["schema"]).validate(body)


def test_exactly_the_endpoints_that_there_are_are_described() -> None:
    assert {(path, method) for path, item in api().raw_schema["paths"].items() for method in item} == {
        (PATH, "post"),
        (MODERATIONS, "post"),
        (MODELS, "get"),
        (MODEL, "get"),
    }


def test_every_refusal_is_explained() -> None:
    operations = [operation for item in api().raw_schema["paths"].values() for operation in item.values()]
    refusals = [
        answer for operation in operations for status, answer in operation["responses"].items() if status != "200"
    ]
    assert len(refusals) > 20
    assert all(answer["description"] for answer in refusals)


Situation = Callable[[Caller], httpx2.Response]


@pytest.mark.parametrize(
    ("status", "situation"),
    [
        (200, lambda caller: caller.post()),
        (200, lambda caller: caller.post(caller.body(n=2, tools=[], stream=False))),
        (200, lambda caller: caller.post(caller.body(stream=True))),
        (400, lambda caller: caller.post(b"{")),
        (400, lambda caller: caller.post(caller.body(n=0))),
        (401, lambda caller: caller.post(headers={"Authorization": "Bearer x"})),
        (404, lambda caller: caller.post(caller.body(model="nobody-serves-this"))),
        (405, lambda caller: caller.request("DELETE", PATH)),
        (413, lambda caller: caller.post(caller.body(messages=[{"role": "user", "content": "x" * 50_001}]))),
        (502, lambda caller: caller.post(caller.body(sandbox={"status": 500}))),
        (503, lambda caller: caller.post(caller.body(sandbox={"status": 429}))),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_answers_of_chat_completions(acme: Caller, status: int, situation: Situation) -> None:
    answer = situation(acme)
    assert answer.status_code == status
    require_conformance(answer, "POST", PATH)


def test_answers_by_key_and_tier(gateway: Gateway, sandbox: Sandbox, model: Model) -> None:
    without_chat = a_caller(gateway, model, scopes=["models"])
    without_models = a_caller(gateway, model, scopes=["chat"])
    limited = a_caller(gateway, model, tier={"requests_per_minute": 1})
    limited.post()
    for answer, status, method, path in (
        (without_chat.post(), 403, "POST", PATH),
        (limited.post(), 429, "POST", PATH),
        (without_models.request("GET", MODELS), 403, "GET", MODELS),
        (without_models.request("GET", f"/v1/models/{model.name}"), 403, "GET", MODEL),
        (without_chat.request("GET", MODELS), 200, "GET", MODELS),
        (without_chat.request("GET", f"/v1/models/{model.name}"), 200, "GET", MODEL),
        (without_chat.request("GET", "/v1/models/unknown"), 404, "GET", MODEL),
        (without_chat.request("POST", MODELS), 405, "GET", MODELS),
    ):
        assert answer.status_code == status
        require_conformance(answer, method, path)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("GET", MODELS), ("GET", MODEL)])
def test_generated_requests_get_answers_as_described(acme: Caller, method: str, path: str, data: st.DataObject) -> None:
    case: Any = data.draw(api()[path][method].as_strategy())
    if isinstance(case.body, dict):
        case.body |= {"stream": False, "stream_options": None, "model": data.draw(st.sampled_from(["x", acme.model]))}
    case.headers = acme.authorization
    case.call_and_validate(base_url=acme.gateway.url, checks=[not_a_server_error, *CONFORMANCE])
