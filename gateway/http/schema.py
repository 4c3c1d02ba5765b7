"""What the API schema says of the data plane: its shapes come from the types that requests are checked with.

Only `config/api_urls.py` imports it, and views do not name what describes them: drf-spectacular, which imports the test
frameworks of Django and of Python, would take 6 MB of every process that serves the data plane.
"""

from typing import Any

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from gateway.http import views
from gateway.wire.chat import ChatRequest
from gateway.wire.moderation import ModerationRequest

_REF = "#/components/schemas/{name}"
(_chat, _moderation), COMPONENTS = msgspec.json.schema_components([ChatRequest, ModerationRequest], ref_template=_REF)

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
_COMPLETION: dict[str, Any] = {
    "type": "object",
    "description": "The upstream's chat completion, unchanged.",
    "required": ["choices"],
    "properties": {"choices": {"type": "array", "items": {"type": "object"}}, "usage": {"type": "object"}},
    "additionalProperties": True,
}
_MODERATED: dict[str, Any] = {
    "type": "object",
    "description": "The upstream's moderation, unchanged.",
    "required": ["results"],
    "properties": {"results": {"type": "array", "items": {"type": "object"}}},
    "additionalProperties": True,
}
_MODEL: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": {"type": "string"},
        "object": {"type": "string", "enum": ["model"]},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    },
}
_MODEL_LIST: dict[str, Any] = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {"object": {"type": "string", "enum": ["list"]}, "data": {"type": "array", "items": _MODEL}},
}

_EVERYWHERE = {
    401: "The key is missing, malformed, unknown, suspended, revoked or expired.",
    403: "The key lacks the scope, or comes from the wrong network.",
    404: "There is no such path, or no such model for this key.",
    405: "Another method is wanted.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    503: "A part of the gateway is down, draining or full.",
}
_CALLING = {
    400: "The body is invalid; `param` names the field.",
    403: "The key lacks the scope, or comes from the wrong network; or the tenant needs the end user's consent.",
    429: "A rate, token rate, concurrency or budget is used up.",
    502: "The upstream failed.",
    504: "The upstream did not answer in time.",
}


def _responses(success: dict[Any, Any], errors: dict[int, str]) -> dict[Any, Any]:
    refusals = {
        (status, "application/json"): OpenApiResponse(_ERROR, description=text)
        for status, text in sorted(errors.items())
    }
    return {**success, **refusals}


_EVENTS = {"type": "string", "description": "Events `data: {chunk}`, the last one `data: [DONE]`."}

CHAT_COMPLETIONS: dict[str, Any] = {
    "operation_id": "createChatCompletion",
    "tags": ["chat"],
    "request": {"application/json": _chat},
    "responses": _responses(
        {(200, "application/json"): _COMPLETION, (200, "text/event-stream"): _EVENTS}, {**_EVERYWHERE, **_CALLING}
    ),
}
MODERATIONS: dict[str, Any] = {
    "operation_id": "createModeration",
    "tags": ["moderations"],
    "request": {"application/json": _moderation},
    "responses": _responses({(200, "application/json"): _MODERATED}, {**_EVERYWHERE, **_CALLING}),
}
MODELS: dict[str, Any] = {
    "operation_id": "listModels",
    "tags": ["models"],
    "responses": _responses({(200, "application/json"): _MODEL_LIST}, _EVERYWHERE),
}
MODEL: dict[str, Any] = {
    "operation_id": "retrieveModel",
    "tags": ["models"],
    "parameters": [OpenApiParameter("model", str, OpenApiParameter.PATH, description="A model's name.")],
    "responses": _responses({(200, "application/json"): _MODEL}, _EVERYWHERE),
}

extend_schema(**CHAT_COMPLETIONS)(views.ChatCompletions.post)
extend_schema(**MODERATIONS)(views.Moderations.post)
extend_schema(**MODELS)(views.Models.get)
extend_schema(**MODEL)(views.ModelDetail.get)


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a key is sent."""

    target_class = "gateway.http.base.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "pcl_…"}


def add_components(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook of drf-spectacular: adds the shapes of `wire/`."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(COMPONENTS)
    return result
