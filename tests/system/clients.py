"""Who calls the gateway in these tests: applications with the official SDK, and with plain HTTP."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, OpenAI

from accounts.models import ApiKey, Application, Tenant
from billing.models import Tier
from gateway.models import Model
from tests import factories
from tests.factories.guards import a_guard_policy
from tests.system.processes import Gateway, eventually

HELLO: Any = [{"role": "user", "content": "Hello"}]
PATH = "/v1/chat/completions"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An application with its key, at a gateway."""

    gateway: Gateway
    model: str
    tenant: Tenant
    application: Application
    key: ApiKey
    secret: str = field(repr=False)

    def sdk(self, **options: Any) -> OpenAI:
        """The SDK; it does not retry unless `options` say so."""
        return OpenAI(**self._options(options))

    def async_sdk(self, **options: Any) -> AsyncOpenAI:
        return AsyncOpenAI(**self._options(options))

    def ask(self, **fields: Any) -> Any:
        """One completion, or a stream, as `completion` describes it."""
        with self.sdk() as client:
            return client.chat.completions.create(**self.completion(**fields))

    def completion(self, *, knobs: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """The arguments of a completion: a greeting to the caller's model, unless `fields` say otherwise; `knobs` are
        for the sandbox."""
        extra = {**fields.pop("extra_body", {}), **({"sandbox": knobs} if knobs else {})}
        return {"model": self.model, "messages": HELLO, "extra_body": extra, **fields}

    def post(self, body: Any = None, *, path: str = PATH, **options: Any) -> httpx2.Response:
        """A plain request: `body` as JSON, or as it is when it is bytes; without one, a greeting."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body or self.body()}
        return self.request("POST", path, **{**content, **options})

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {**self.authorization, **options.pop("headers", {})}
        with httpx2.Client(base_url=self.gateway.url, timeout=30) as client:
            return client.request(method, path, headers=headers, **options)

    def body(self, **fields: Any) -> dict[str, Any]:
        """What the SDK would send for a greeting."""
        return {"model": self.model, "messages": HELLO, **fields}

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}

    @property
    def in_records(self) -> str:
        """What is in each usage record of this caller, as the gateway tells it its ledger."""
        return f'"api_key_id":{self.key.pk},'

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"base_url": self.gateway.base_url, "api_key": self.secret, "max_retries": 0, "timeout": 30, **options}


def a_caller(
    gateway: Gateway,
    model: Model | str,
    *,
    tenant: Tenant | None = None,
    tier: dict[str, Any] | None = None,
    **key_fields: Any,
) -> Caller:
    """An application of its own, of a tenant of its own unless `tenant` is given, whose tier has those fields."""
    tenant = tenant or factories.a_tenant(tier=_a_tier(tier))
    application = factories.an_application(tenant)
    key, secret = factories.a_key(application, **key_fields)
    name = model if isinstance(model, str) else model.name
    return Caller(gateway=gateway, model=name, tenant=tenant, application=application, key=key, secret=secret)


def unguarded(caller: Caller) -> Caller:
    """The same, without guards: these refuse what others would, and hold back the last word of a stream."""
    a_guard_policy(caller.tenant)
    return caller


def _a_tier(fields: dict[str, Any] | None) -> Tier | None:
    return factories.a_tier(**fields) if fields else None


class Attempts:
    """Counts what an SDK really sends. Give `client` to it as `http_client`."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.client = openai.DefaultHttpxClient(event_hooks={"request": [self.requests.append]})

    def __len__(self) -> int:
        return len(self.requests)


def served(gateway: Gateway, model: Model) -> Model:
    """`model`, once that gateway serves it: a new route takes effect with the next notification."""
    caller = a_caller(gateway, model)
    eventually(lambda: caller.request("GET", f"/v1/models/{model.name}").status_code == 200, within_s=5)
    return model
