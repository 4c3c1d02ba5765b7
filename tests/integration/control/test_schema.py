"""The API schema: complete, valid, and served without anything from elsewhere."""

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

pytestmark = pytest.mark.django_db

FOR_APPLICATIONS = {
    *("/api/audit/events", "/api/audit/events/{event_id}", "/api/audit/checkpoints", "/api/audit/consistency"),
    "/api/audit/exports",
    "/api/audit/exports/{export_id}",
    "/api/audit/exports/{export_id}/file",
    *("/api/consents/", "/api/consents/withdraw", "/api/consents/{receipt_id}/receipt"),
    "/api/signing-keys/",
    *("/api/notices/", "/api/notices/{sha256}"),
    *("/api/subjects/", "/api/subjects/{external_id}"),
    *("/api/subject-requests/", "/api/subject-requests/{request_id}", "/api/subject-requests/{request_id}/code"),
    *("/api/subject-requests/{request_id}/verify", "/api/subject-requests/{request_id}/export"),
    *("/api/guards", "/api/guard-policies", "/api/guard-policies/{policy_id}", "/api/guard-policies/{policy_id}/try"),
    *("/api/guard-dictionaries", "/api/guard-dictionaries/{dictionary_id}"),
    *("/api/guard-dictionaries/{dictionary_id}/entries", "/api/guard-dictionaries/{dictionary_id}/words"),
    *("/api/guard-patterns", "/api/guard-patterns/{pattern_id}"),
}
"""Paths of the control plane that API keys open."""


def test_it_works(client: Client) -> None:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    assert b"/v1/chat/completions" in answer.content


def test_it_is_valid_and_names_every_endpoint() -> None:
    schema = SchemaGenerator(urlconf="config.api_urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    validate_schema(schema)  # type: ignore[no-untyped-call]
    data_plane = {"/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/v1/moderations"}
    assert set(schema["paths"]) == {*data_plane, "/api/billing/reports", *FOR_APPLICATIONS}
    for path in FOR_APPLICATIONS:
        for operation in schema["paths"][path].values():
            assert operation["security"] == [{"applicationKey": []}]
            assert {"401", "403", "429"} <= set(operation["responses"])
    for path in data_plane:
        for operation in schema["paths"][path].values():
            assert operation["security"] == [{"key": []}]
            assert {"200", "401", "403", "503"} <= set(operation["responses"])


def test_no_two_shapes_share_a_name() -> None:
    """Of two that do, the schema would describe one wrongly."""
    reset_generator_stats()
    schema = SchemaGenerator(urlconf="config.api_urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    assert not GENERATOR_STATS, GENERATOR_STATS._warn_cache
    assert {"AuditEventOut", "RequestEventOut"} <= set(schema["components"]["schemas"])


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
