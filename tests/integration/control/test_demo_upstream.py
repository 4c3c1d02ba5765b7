"""The upstream that OPENAI_API_KEY and OPENAI_BASE_URL name comes along with the demo, and its models with it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from billing import list_prices
from billing.models import Price
from compliance.contracts import Actor
from config.supervisor import free_port
from gateway.credentials import credential_of
from gateway.demo import catalogue, upstreams
from gateway.models import Deployment, Model, Provider

pytestmark = pytest.mark.django_db

BY = Actor(kind="command", id="seed_demo")
KEY = "sk-not-a-real-one"


class Upstream(ThreadingHTTPServer):
    """Answers every GET with `body`; says in `paths` and `credentials` what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = 200
        self.body: object = {}
        self.location = ""
        self.paths: list[str] = []
        self.credentials: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def has(self, *models: str) -> None:
        self.body = {"object": "list", "data": [{"id": name, "object": "model"} for name in models]}


class Answer(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.credentials.append(self.headers["Authorization"])
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def seed(url: str, *, key: str = KEY) -> upstreams.Upstream:
    found = upstreams.find_openai({"OPENAI_API_KEY": key, "OPENAI_BASE_URL": url})
    assert found
    upstreams.seed_openai(found, by=BY)
    return found


def added() -> set[str]:
    """The names of models that clients can ask for, which have a deployment and a price."""
    deployed = Deployment.objects.filter(provider__slug="openai").values_list("upstream_model", flat=True)
    priced = Price.objects.filter(provider="openai", model__in=deployed).values_list("model", flat=True)
    assert set(deployed) == set(priced)
    return set(Model.objects.filter(name__in=priced).values_list("name", flat=True))


def test_it_works(upstream: Upstream) -> None:
    upstream.has("gpt-4o", "o3", "a-model-of-our-own", "text-embedding-3-small", "no good name", "gpt-4o")
    found = seed(f"{upstream.url}/")
    assert (found.remark, upstream.paths, upstream.credentials) == ("", ["/v1/models"], [f"Bearer {KEY}"])
    assert added() == {"gpt-4o", "o3"}
    provider = Provider.objects.get(slug="openai")
    assert (provider.base_url, provider.output_limit_field) == (upstream.url, "max_completion_tokens")
    assert credential_of(provider) == KEY


def test_older_models_are_counted_with_their_own_tokenizer(upstream: Upstream) -> None:
    upstream.has("gpt-4-turbo", "gpt-4o", "gpt-4.1", "gpt-3.5-turbo")
    seed(upstream.url)
    tokenizers = dict(Model.objects.filter(owned_by="openai").values_list("name", "tokenizer"))
    older, newer = "cl100k_base", "o200k_base"
    assert tokenizers == {"gpt-4-turbo": older, "gpt-3.5-turbo": older, "gpt-4o": newer, "gpt-4.1": newer}


def test_not_more_than_fifty_are_added(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_prices, "list_price", lambda *, provider, model: {"output_nano": 1})
    names = [f"model-{n}" for n in range(80)]
    upstream.has(*names)
    seed(upstream.url)
    assert added() == set(names[:50])


def test_an_upstream_without_a_credential_is_asked_without_one(upstream: Upstream) -> None:
    upstream.has("gpt-4o")
    seed(upstream.url, key="")
    assert upstream.credentials == [None]
    assert added() == {"gpt-4o"}


def test_one_that_lists_nothing_with_a_price_is_added_with_a_remark(upstream: Upstream) -> None:
    upstream.has("sandbox-small", "a-model-of-our-own")
    assert "no model with a list price" in seed(upstream.url).remark
    assert Provider.objects.filter(slug="openai").exists()
    assert added() == set()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(401, {"error": {"message": "no"}}, id="refused"),
        pytest.param(200, ["gpt-4o"], id="not a listing"),
        pytest.param(200, {"data": [{"name": "gpt-4o"}]}, id="no ids"),
    ],
)
def test_one_that_does_not_say_gets_the_usual_models_with_a_remark(
    status: int, body: object, upstream: Upstream
) -> None:
    upstream.status, upstream.body = status, body
    assert f"{upstream.url}/models could not be asked" in seed(upstream.url).remark
    assert added() == set(upstreams.OPENAI_MODELS)


def test_one_that_is_not_there_gets_the_usual_models_with_a_remark() -> None:
    assert "could not be asked" in seed(f"http://127.0.0.1:{free_port()}/v1").remark
    assert added() == set(upstreams.OPENAI_MODELS)


def test_the_credential_does_not_follow_a_redirect(upstream: Upstream) -> None:
    upstream.status, upstream.location = 302, f"{upstream.url}/elsewhere"
    with pytest.raises(catalogue.CannotBeAsked, match="status 302"):
        catalogue.models(base_url=upstream.url, credential=KEY)
    assert upstream.paths == ["/v1/models"]


def test_without_either_variable_there_is_none() -> None:
    assert upstreams.find_openai({}) is None
