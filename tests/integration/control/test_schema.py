"""The API schema: complete, valid, and served without anything from elsewhere."""

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

pytestmark = pytest.mark.django_db


def test_it_works(client: Client) -> None:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    assert b"/v1/chat/completions" in answer.content


def test_it_is_valid_and_names_every_endpoint() -> None:
    schema = SchemaGenerator(urlconf="config.api_urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    validate_schema(schema)  # type: ignore[no-untyped-call]
    data_plane = {"/v1/chat/completions", "/v1/models", "/v1/models/{model}"}
    assert set(schema["paths"]) == {*data_plane, "/api/billing/reports"}
    for path in data_plane:
        for operation in schema["paths"][path].values():
            assert operation["security"] == [{"key": []}]
            assert {"200", "401", "403", "503"} <= set(operation["responses"])


def test_a_request_is_described_by_the_type_that_checks_it() -> None:
    schema = SchemaGenerator(urlconf="config.api_urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    chat = schema["components"]["schemas"]["ChatRequest"]
    assert chat["required"] == ["model", "messages"]
    assert chat["properties"]["temperature"]["anyOf"][0] == {"type": "number", "minimum": 0.0, "maximum": 2.0}


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    assert b"http://" not in answer.content.replace(b"http://testserver", b"")
    assert b"https://" not in answer.content
