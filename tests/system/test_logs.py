"""What the gateway writes about a request: everything an operator needs, and nothing that a user said."""

from typing import Any

import openai
import pytest

from gateway.models import Model
from tests import factories
from tests.system.clients import Caller, a_caller, served
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

SAID = "xylophone-quartz-4711"
CREDENTIAL = "sk-upstream-credential-0815"


def line_of(gateway: Gateway, request_id: str) -> dict[str, Any]:
    """The one line about a request."""
    lines = eventually(lambda: [line for line in gateway.log_lines() if line.get("request_id") == request_id])
    assert len(lines) == 1
    return lines[0]


def test_a_line_says_who_asked_what_it_took_and_how_it_ended(acme: Caller, gateway: Gateway) -> None:
    completion = acme.ask(knobs={"tokens": 12})
    line = line_of(gateway, completion._request_id)
    assert (line["event"], line["level"], line["outcome"], line["status"]) == ("request", "info", "completed", 200)
    assert (line["tenant"], line["key_id"], line["model"]) == (acme.tenant.slug, acme.key.public_id, acme.model)
    assert (line["input_tokens"], line["output_tokens"]) == (completion.usage.prompt_tokens, 12)
    assert line["cost_nano"] == completion.usage.prompt_tokens * 150 + 12 * 600
    assert line["latency_ms"] >= 0
    assert line["timestamp"].endswith("Z")


def test_a_refusal_is_a_line_too(acme: Caller, gateway: Gateway) -> None:
    with pytest.raises(openai.NotFoundError) as refusal:
        acme.ask(model="nobody-serves-this")
    line = line_of(gateway, refusal.value.request_id or "")
    assert (line["outcome"], line["code"], line["status"]) == ("refused", "model_not_found", 404)


def test_neither_content_nor_secrets_are_ever_written(gateway: Gateway, sandbox: Sandbox) -> None:
    model: Model = served(gateway, factories.a_model(factories.a_provider(sandbox.base_url, credential=CREDENTIAL)))
    caller = a_caller(gateway, model)
    said: dict[str, Any] = {
        "messages": [{"role": "user", "content": SAID, "name": SAID}],
        "metadata": {SAID: SAID},
        "user": SAID,
    }
    assert caller.ask(**said, knobs={"text": SAID}).choices[0].message.content == SAID
    for fields in (
        {"messages": [{"role": SAID, "content": SAID}]},
        {"temperature": SAID},
        {"stop": {SAID: SAID}},
        {"response_format": {"type": SAID}},
        {"sandbox": {"text": SAID, "cut_after_chunks": 2}},
        {"sandbox": {"text": SAID, "malformed": True}, "stream": True},
        {"sandbox": {"text": SAID, "error_after_chunks": 2}, "stream": True},
    ):
        caller.post({**caller.body(**said), **fields})
    caller.post(b'{"' + SAID.encode() + b'": ')
    last = caller.request("GET", "/v1/models", headers={"X-API-Key": SAID, "X-Forwarded-For": SAID})
    caller.request("GET", "/v1/models", headers={"Authorization": f"Bearer {SAID}"})
    assert last.status_code == 200
    caller.ask()
    written = gateway.log.read_text()
    assert caller.key.public_id in written
    for secret in (SAID, CREDENTIAL, caller.secret, caller.secret.split("_")[3]):
        assert secret not in written
