"""`/api/guard-policies` and its neighbours: what applications may set up for their own tenant."""

from typing import Any

import jsonschema_rs
import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts.models import Tenant
from compliance.models import AuditEvent
from gateway.guards import registry
from gateway.guards.base import Action
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy
from tests.factories import a_key, a_tenant, an_application
from tests.factories.guards import a_guard_dictionary, a_guard_pattern, a_guard_policy, a_guard_rule

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

POLICIES, POLICY, TRY = "/api/guard-policies", "/api/guard-policies/{policy_id}", "/api/guard-policies/{policy_id}/try"
DICTIONARIES, DICTIONARY = "/api/guard-dictionaries", "/api/guard-dictionaries/{dictionary_id}"
PATTERNS, PATTERN = "/api/guard-patterns", "/api/guard-patterns/{pattern_id}"
BLOCK = {"guard": "abuse", "action": "block"}


class Application:
    """One with a key that may set up guards."""

    def __init__(self, tenant: Tenant, *scopes: str) -> None:
        self.tenant = tenant
        self.key, text = a_key(tenant=tenant, scopes=list(scopes or ("guards",)))
        self.client = Client(headers={"Authorization": f"Bearer {text}"})

    def call(
        self, method: str, template: str, body: Any = None, *, number: int = 0, status: int = 200, kind: str = ""
    ) -> Any:
        """The body of the answer, which is as the schema has it."""
        path = template.format(policy_id=number, dictionary_id=number, pattern_id=number)
        call = getattr(self.client, method)
        answer = call(path, body, content_type=kind or "application/json") if body is not None else call(path)
        assert answer.status_code == status, answer.content
        if status == 204:
            return None
        require_documented(answer, method, template)
        return answer.json()["error"] if status >= 400 else answer.json()


def require_documented(answer: Any, method: str, path: str) -> None:
    generator: Any = SchemaGenerator
    schema = generator(urlconf="config.api_urls").get_schema(request=None, public=True)
    operation = schema["paths"][path][method]["responses"][str(answer.status_code)]
    documented = operation["content"]["application/json"]["schema"]
    jsonschema_rs.validator_for({**documented, "components": schema["components"]}).validate(answer.json())


@pytest.fixture
def acme() -> Application:
    return Application(a_tenant())


# --- policies --------------------------------------------------------------------------------------------------------


def test_it_works(acme: Application) -> None:
    made = acme.call("post", POLICIES, {"name": "House rules", "rules": [BLOCK]}, status=201)
    assert (made["name"], made["application"], made["environment"]) == ("House rules", None, "")
    assert [(rule["guard"], rule["action"]) for rule in made["rules"]] == [("abuse", "block")]
    assert acme.call("get", POLICY, number=made["id"]) == made
    assert acme.call("get", POLICIES)["policies"] == [made]
    event = AuditEvent.objects.get(action="guardpolicy.created", target_id=str(made["id"]))
    assert (event.actor_kind, event.actor_id, event.tenant_id) == ("key", str(acme.key.pk), acme.tenant.pk)


def test_the_guards_are_listed(acme: Application) -> None:
    listed = {guard["name"]: guard for guard in acme.call("get", "/api/guards")["guards"]}
    assert set(listed) == set(registry.guards())
    assert "block" in listed["abuse"]["actions"]
    settings = {each["name"]: each for each in listed["moderation"]["settings"]}
    assert [settings["timeout_ms"][name] for name in ("default", "least", "most")] == [2000, 50, 30_000]
    assert [settings["model"][name] for name in ("default", "least", "most")] == ["omni-moderation-latest", None, 100]


def test_a_guard_that_cannot_look_is_told(acme: Application) -> None:
    sent = {"name": "x", "rules": [{"guard": "moderation", "action": "block"}]}
    made = acme.call("post", POLICIES, sent, status=201)
    [warning] = made["warnings"]
    assert "No active deployment with a price serves the model omni-moderation-latest" in warning
    tried = acme.call("post", TRY, {"text": "Peace"}, number=made["id"])
    assert (tried["action"], tried["blocked_by"], tried["outgoing"]) == ("block", "moderation", None)
    assert tried["outcomes"][0]["error"] == "raised"
    assert "Moderation was not asked." in tried["unasked"]


def test_a_guard_that_can_never_run_here_is_refused(acme: Application) -> None:
    error = acme.call("post", POLICIES, {"name": "x", "rules": [{"guard": "names", "action": "log"}]}, status=400)
    assert error["param"] == "action"
    assert "Presidio is not installed" in error["message"]


def test_a_policy_is_replaced_as_a_whole(acme: Application) -> None:
    policy = a_guard_policy(acme.tenant, rules=(a_guard_rule("abuse"),))
    sent = {"name": "Another", "active": False, "rules": [{"guard": "markup", "action": "redact"}]}
    body = acme.call("put", POLICY, sent, number=policy.pk)
    assert (body["name"], body["active"]) == ("Another", False)
    assert [rule["guard"] for rule in body["rules"]] == ["markup"]


def test_for_whom_it_holds_stays(acme: Application) -> None:
    policy = a_guard_policy(acme.tenant, environment="dev")
    error = acme.call("put", POLICY, {"name": "x", "environment": "production"}, number=policy.pk, status=400)
    assert "For whom a policy holds stays" in error["message"]


def test_a_policy_of_an_application(acme: Application) -> None:
    application = an_application(acme.tenant)
    made = acme.call("post", POLICIES, {"name": "x", "application": application.slug}, status=201)
    assert GuardPolicy.objects.get(pk=made["id"]).application == application


def test_another_tenants_application_is_unknown(acme: Application) -> None:
    foreign = an_application(a_tenant("umbrella"))
    error = acme.call("post", POLICIES, {"name": "x", "application": foreign.slug}, status=400)
    assert error["param"] == "application"


def test_a_policy_is_deleted(acme: Application) -> None:
    policy = a_guard_policy(acme.tenant, rules=(a_guard_rule("abuse"),))
    acme.call("delete", POLICY, number=policy.pk, status=204)
    assert not GuardPolicy.objects.exists()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "x", "rules": [{"guard": "nobody", "action": "log"}]}, "guard"),
        ({"name": "x", "rules": [{"guard": "abuse", "action": "redact"}]}, "action"),
        ({"name": "x", "rules": [{"guard": "abuse", "action": "log", "settings": {"most": 1}}]}, "settings"),
        ({"name": "x", "rules": [{"guard": "abuse", "action": "ignore"}]}, "rules"),
        ({"name": "x", "rule": []}, "rule"),
        ({"name": "x", "environment": "mars"}, "environment"),
        ({"rules": []}, "name"),
    ],
    ids=["guard", "action", "setting", "unknown action", "unknown field", "environment", "no name"],
)
def test_nonsense_is_refused(acme: Application, body: dict[str, Any], param: str) -> None:
    error = acme.call("post", POLICIES, body, status=400)
    assert str(error["param"]).startswith(param)
    assert not GuardPolicy.objects.exists()


def test_others_policies_are_not_there(acme: Application) -> None:
    others = [a_guard_policy(a_tenant("umbrella")), a_guard_policy()]
    assert acme.call("get", POLICIES)["policies"] == []
    for policy in others:
        acme.call("get", POLICY, number=policy.pk, status=404)
        acme.call("put", POLICY, {"name": "x"}, number=policy.pk, status=404)
        acme.call("delete", POLICY, number=policy.pk, status=404)
        acme.call("post", TRY, {"text": "x"}, number=policy.pk, status=404)
    assert GuardPolicy.objects.count() == 2


def test_it_takes_the_scope() -> None:
    chatting = Application(a_tenant(), "chat")
    assert chatting.call("get", POLICIES, status=403)["code"] == "permission_denied"
    chatting.call("post", PATTERNS, {"name": "X", "expression": "x"}, status=403)


def test_a_policy_is_tried_out(acme: Application) -> None:
    rule = a_guard_rule("patterns", Action.REDACT)
    policy = a_guard_policy(acme.tenant, rules=(rule,), budget_ms=10_000)
    a_guard_pattern(acme.tenant, name="BADGE", expression=r"\bEMP-\d{5}\b")
    body = acme.call("post", TRY, {"text": "My badge is EMP-12345."}, number=policy.pk)
    assert (body["action"], body["outgoing"]) == ("redact", "My badge is [BADGE].")
    assert [(each["guard"], each["rule"], each["count"]) for each in body["outcomes"]] == [("patterns", "BADGE", 1)]
    assert not AuditEvent.objects.filter(reason__contains="EMP-12345").exists()


# --- dictionaries ----------------------------------------------------------------------------------------------------


def test_a_dictionary_is_made_and_filled(acme: Application) -> None:
    made = acme.call("post", DICTIONARIES, {"name": "Projects"}, status=201)
    assert (made["entries"], made["compiling"]) == (0, False)
    filled = acme.call("put", f"{DICTIONARY}/entries", "Aurora\nBorealis", number=made["id"], kind="text/plain")
    assert (filled["entries"], filled["version"]) == (2, 1)
    changed = acme.call("post", f"{DICTIONARY}/words", {"add": ["Corona"], "remove": ["aurora"]}, number=made["id"])
    assert changed["entries"] == 2
    assert acme.call("get", DICTIONARIES)["dictionaries"] == [changed]
    again = acme.call("put", DICTIONARY, {"name": "Projects", "prefixes": True}, number=made["id"])
    assert again["prefixes"]
    acme.call("delete", DICTIONARY, number=made["id"], status=204)
    assert not GuardDictionary.objects.exists()


def test_csv_is_read_as_such(acme: Application) -> None:
    dictionary = a_guard_dictionary(acme.tenant)
    body = acme.call("put", f"{DICTIONARY}/entries", "aurora;1\nborealis;2", number=dictionary.pk, kind="text/csv")
    assert body["entries"] == 2


def test_another_kind_of_file_is_refused(acme: Application) -> None:
    dictionary = a_guard_dictionary(acme.tenant)
    acme.call("put", f"{DICTIONARY}/entries", "{}", number=dictionary.pk, status=415)


def test_a_wrong_entry_is_refused(acme: Application) -> None:
    dictionary = a_guard_dictionary(acme.tenant)
    path = f"{DICTIONARY}/entries"
    error = acme.call("put", path, "x" * 61, number=dictionary.pk, kind="text/plain", status=400)
    assert "61 characters" in error["message"]


def test_others_dictionaries_are_not_there(acme: Application) -> None:
    other = a_guard_dictionary(a_tenant("umbrella"), words=("aurora",))
    for method, path, body in (
        ("get", DICTIONARY, None),
        ("put", DICTIONARY, {"name": "x"}),
        ("delete", DICTIONARY, None),
        ("post", f"{DICTIONARY}/words", {"add": ["corona"]}),
    ):
        acme.call(method, path, body, number=other.pk, status=404)
    acme.call("put", f"{DICTIONARY}/entries", "corona", number=other.pk, kind="text/plain", status=404)
    other.refresh_from_db()
    assert (other.entries, other.version) == (1, 1)


# --- patterns --------------------------------------------------------------------------------------------------------


def test_a_pattern_is_made_changed_and_deleted(acme: Application) -> None:
    made = acme.call("post", PATTERNS, {"name": "BADGE", "expression": r"EMP-\d{5}"}, status=201)
    changed = acme.call("put", PATTERN, {"name": "BADGE", "expression": r"EMP-\d{6}"}, number=made["id"])
    assert acme.call("get", PATTERNS)["patterns"] == [changed]
    acme.call("delete", PATTERN, number=made["id"], status=204)
    assert not GuardPattern.objects.exists()


def test_a_pattern_that_cannot_be_matched_is_refused(acme: Application) -> None:
    error = acme.call("post", PATTERNS, {"name": "BADGE", "expression": r"EMP-\d+"}, status=400)
    assert error["param"] == "expression"
    assert "upper bound" in error["message"]


def test_others_patterns_are_not_there(acme: Application) -> None:
    other = a_guard_pattern(a_tenant("umbrella"))
    acme.call("put", PATTERN, {"name": "X", "expression": "x"}, number=other.pk, status=404)
    acme.call("delete", PATTERN, number=other.pk, status=404)
    assert GuardPattern.objects.filter(pk=other.pk).exists()
