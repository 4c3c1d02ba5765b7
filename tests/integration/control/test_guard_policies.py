"""Guard policies: who has one, what it may say, and what is put on record."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from compliance.models import AuditEvent
from gateway.actions import guard_policies
from gateway.guard_terms import guarding_of, terms_of
from gateway.guards import registry
from gateway.guards.base import Action, Direction, Guard, Kind, OnError, Role, Setting
from gateway.models import GuardPolicy, GuardRule
from tests.factories import THE_SYSTEM, a_tenant, an_application
from tests.factories.guards import a_guard_policy, a_guard_rule

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

FINDER = Guard(
    name="finder",
    title="Finder",
    help="Finds.",
    actions=(Action.OFF, Action.LOG, Action.REDACT, Action.BLOCK),
    rule_names=("EMAIL", "CARD"),
    settings=(
        Setting(name="least", title="Least", kind=Kind.WHOLE, least=1, most=9),
        Setting(name="hosts", title="Hosts", kind=Kind.LINES),
    ),
)
JUDGE = Guard(
    name="judge",
    title="Judge",
    help="Judges.",
    actions=(Action.OFF, Action.FLAG, Action.BLOCK),
    directions=frozenset({Direction.PROMPT}),
)


@pytest.fixture(autouse=True)
def guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two guards, of each kind one."""
    monkeypatch.setattr(registry, "_GUARDS", {each.name: each for each in (FINDER, JUDGE)})


def events_of(policy: GuardPolicy) -> list[str]:
    about = [("guardpolicy", str(policy.pk)), *(("guardrule", str(pk)) for pk in policy.rules.values_list("pk"))]
    found = AuditEvent.objects.filter(target_kind__in=[kind for kind, _ in about]).order_by("id")
    return [event.action for event in found]


def test_it_works() -> None:
    tenant = a_tenant()
    policy = a_guard_policy(tenant, rules=(a_guard_rule("finder", Action.REDACT), a_guard_rule("judge")))
    assert [rule.guard for rule in policy.rules.all()] == ["finder", "judge"]
    assert events_of(policy) == ["guardpolicy.created", "guardrule.created", "guardrule.created"]
    event = AuditEvent.objects.filter(action="guardrule.created").latest("id")
    assert event.tenant_id == tenant.pk


def test_a_scope_has_one_policy() -> None:
    tenant = a_tenant()
    a_guard_policy(tenant, environment="dev")
    a_guard_policy(tenant, environment="production")
    with pytest.raises(ValidationError, match="a policy for these already"):
        a_guard_policy(tenant, environment="dev")


def test_the_platform_has_one_policy_too() -> None:
    a_guard_policy()
    with pytest.raises(ValidationError, match="a policy for these already"):
        a_guard_policy()


def test_an_application_is_its_tenants() -> None:
    foreign = an_application(a_tenant("umbrella"))
    with pytest.raises(ValidationError, match="another tenant's application"):
        a_guard_policy(a_tenant(), application=foreign)
    with pytest.raises(ValidationError, match="another tenant's application"):
        a_guard_policy(application=foreign)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (a_guard_rule("nobody"), "no guard 'nobody'"),
        (a_guard_rule("judge", Action.REDACT), "Judge can"),
        (a_guard_rule("finder", Action.FLAG), "Finder can"),
        (a_guard_rule("judge", direction="answer"), "does not look there"),
        (a_guard_rule("finder", rules=["IBAN"]), "does not know IBAN"),
        (a_guard_rule("finder", roles=["stranger"]), "is not a valid choice"),
        (a_guard_rule("finder", direction="answer", roles=["user"]), "looks at answers only"),
        (a_guard_rule("finder", threshold=1.5), "less than or equal to 1"),
        (a_guard_rule("finder", settings={"most": 3}), "no setting 'most'"),
        (a_guard_rule("finder", settings={"least": 10}), "at most 9"),
        (a_guard_rule("finder", settings={"hosts": "example.org"}), "a list of texts"),
    ],
    ids=[
        "guard",
        "judge redacts",
        "flag",
        "direction",
        "rule",
        "role",
        "role of no answer",
        "threshold",
        "setting",
        "bounds",
        "kind",
    ],
)
def test_what_a_guard_cannot_do_is_refused(rule: GuardRule, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_guard_policy(a_tenant(), rules=(rule,))
    assert not GuardPolicy.objects.exists()


def test_empty_settings_are_not_kept() -> None:
    policy = a_guard_policy(rules=(a_guard_rule("finder", settings={"least": None, "hosts": []}),))
    assert policy.rules.get().settings == {}


def test_the_rules_are_replaced_as_a_whole() -> None:
    policy = a_guard_policy(rules=(a_guard_rule("finder", Action.LOG), a_guard_rule("judge")))
    guard_policies.set_rules(policy=policy, rules=[a_guard_rule("finder", Action.BLOCK)], by=THE_SYSTEM)
    assert [(rule.guard, rule.action) for rule in policy.rules.all()] == [("finder", Action.BLOCK)]
    assert events_of(policy)[3:] == ["guardrule.deleted", "guardrule.changed"]


def test_the_same_rules_again_change_nothing() -> None:
    policy = a_guard_policy(rules=(a_guard_rule("finder", Action.LOG),))
    guard_policies.set_rules(policy=policy, rules=[a_guard_rule("finder", Action.LOG)], by=THE_SYSTEM)
    assert events_of(policy) == ["guardpolicy.created", "guardrule.created"]


def test_a_guard_has_one_rule() -> None:
    with pytest.raises(ValidationError, match="each guard once"):
        a_guard_policy(rules=(a_guard_rule("finder"), a_guard_rule("finder")))


def test_a_policy_goes_with_its_rules() -> None:
    policy = a_guard_policy(rules=(a_guard_rule("finder"),))
    guard_policies.remove(policy=policy, by=THE_SYSTEM, reason="not needed")
    assert not GuardRule.objects.exists()
    last = AuditEvent.objects.order_by("-id")[:2]
    assert [event.action for event in last] == ["guardpolicy.deleted", "guardrule.deleted"]


def test_guards_read_what_the_rows_say() -> None:
    rule = a_guard_rule(
        "finder",
        Action.REDACT,
        direction="answer",
        roles=["assistant"],
        rules=["EMAIL"],
        threshold=0.8,
        on_error="allow",
        replacement="mask",
        settings={"least": 2},
    )
    policy = a_guard_policy(a_tenant(), rules=(rule,), budget_ms=50, placeholder_ttl_hours=2)
    terms = terms_of(policy.rules.get())
    assert (terms.action, terms.on_error, terms.settings) == (Action.REDACT, OnError.ALLOW, {"least": 2})
    assert terms.directions == {Direction.ANSWER}
    assert terms.roles == {Role.ASSISTANT}
    assert terms.rules == {"EMAIL"}
    guarding = guarding_of(policy, policy.rules.all(), key=b"k")
    assert (guarding.policy_id, guarding.budget_ms, guarding.placeholder_ttl_s) == (policy.pk, 50, 7200)
    assert guarding.of("finder") == terms


def test_a_guard_that_is_off_is_left_out() -> None:
    policy = a_guard_policy(rules=(a_guard_rule("finder", Action.OFF), a_guard_rule("judge")))
    assert [terms.guard for terms in guarding_of(policy, policy.rules.all()).terms] == ["judge"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", 5),
        ("action", -1),
        ("direction", "sideways"),
        ("roles", ["user", "nobody"]),
        ("threshold", 1.5),
        ("threshold", -0.1),
        ("threshold", float("nan")),
        ("on_error", "ignore"),
        ("replacement", "nothing"),
    ],
    ids=lambda value: str(value),
)
def test_the_database_takes_no_rule_that_guards_cannot_read(column: str, value: Any) -> None:
    policy = a_guard_policy(rules=(a_guard_rule("finder", roles=["user", "tool"]),))
    with pytest.raises(IntegrityError, match="guard_rule_"):
        policy.rules.update(**{column: value})


@pytest.mark.parametrize(
    ("column", "value"),
    [("budget_ms", 9), ("budget_ms", 10_001), ("placeholder_ttl_hours", 8_761), ("environment", "mars")],
)
def test_the_database_keeps_policies_within_bounds(column: str, value: Any) -> None:
    policy = a_guard_policy()
    with pytest.raises(IntegrityError, match="guard_policy_"):
        GuardPolicy.objects.filter(pk=policy.pk).update(**{column: value})
