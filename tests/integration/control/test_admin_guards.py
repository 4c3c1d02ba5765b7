"""Guards in the admin: a policy with a line for each guard, the box to try it, dictionaries, and the review queue."""

import html
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.actions import keys
from accounts.models import ApiKey, User
from compliance.actions import subjects
from compliance.models import AuditEvent, Subject
from gateway import guard_trials
from gateway.guards import registry
from gateway.guards.base import Action, Direction, Role
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy, GuardRule, ReviewItem
from tests.factories import THE_SYSTEM, a_key, a_model, a_provider, a_tenant
from tests.factories.control import an_admin, events_of
from tests.factories.guards import (
    a_guard_dictionary,
    a_guard_pattern,
    a_guard_policy,
    a_guard_rule,
    a_review,
    guard_decisions,
)

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

POLICIES = "/admin/gateway/guardpolicy/"


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


@pytest.fixture
def key() -> ApiKey:
    return a_key(tenant=a_tenant())[0]


def somebody_with(client: Client, *rights: str) -> User:
    """Somebody who may do these things only."""
    user = an_admin(is_superuser=False)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return user


def a_form(policy: GuardPolicy | None = None, **actions: Action) -> dict[str, Any]:
    """The page of a policy as it is filled in: what is done by each guard that is named, the others off."""
    rules = {rule.guard: rule for rule in policy.rules.order_by("guard")} if policy else {}
    names = [*rules, *(name for name in registry.guards() if name not in rules)]
    form: dict[str, Any] = {
        "name": "House rules",
        "active": "on",
        "budget_ms": 10_000,
        "restore_placeholders": "on",
        "placeholder_ttl_hours": 0,
        "rules-TOTAL_FORMS": len(names),
        "rules-INITIAL_FORMS": len(rules),
        "rules-MIN_NUM_FORMS": 0,
    }
    for number, name in enumerate(names):
        directions = registry.guards()[name].directions
        form |= {
            f"rules-{number}-guard": name,
            f"rules-{number}-action": int(actions.get(name, Action.OFF)),
            f"rules-{number}-direction": "both" if len(directions) > 1 else min(directions).value,
            f"rules-{number}-threshold": 0.5,
            f"rules-{number}-on_error": "block",
            f"rules-{number}-replacement": "label",
        }
        if name in rules:
            form |= {f"rules-{number}-id": rules[name].pk, f"rules-{number}-policy": policy.pk if policy else ""}
    return form


def place_of(form: dict[str, Any], guard: str) -> str:
    return next(name.rpartition("-")[0] for name, value in form.items() if name.endswith("-guard") and value == guard)


class Upstream:
    """Serves moderations on loopback: what has the word violence in it is that. `asked`: its inputs."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.status = 200
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inputs = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
                upstream.asked.append(inputs)
                results = [
                    {"flagged": False, "category_scores": {"violence": float("violence" in each)}} for each in inputs
                ]
                self.send_response(upstream.status)
                self.end_headers()
                self.wfile.write(json.dumps({"results": results}).encode())

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    thread = Thread(target=upstream.server.serve_forever)
    thread.start()
    yield upstream
    upstream.server.shutdown()
    upstream.server.server_close()
    thread.join()


def tried(upstream: Upstream, text: str, *rules: GuardRule, **fields: Any) -> guard_trials.Trial:
    """Tries a policy with a moderation model that the upstream serves."""
    model = a_model(a_provider(upstream.url), upstream_model="moderation").name
    moderation = a_guard_rule("moderation", settings={"model": model}, **fields)
    policy = a_guard_policy(a_tenant(), rules=(*rules, moderation, a_guard_rule("personal_data", Action.REDACT)))
    return guard_trials.run(policy, policy.rules.all(), text=text, role=Role.USER, direction=Direction.PROMPT)


# --- policies --------------------------------------------------------------------------------------------------------


def test_it_works(client: Client, person: User) -> None:
    answer = client.post(f"{POLICIES}add/", a_form(abuse=Action.BLOCK, markup=Action.REDACT))
    assert answer.status_code == 302, answer.content.decode()
    policy = GuardPolicy.objects.get(name="House rules")
    assert {rule.guard: rule.action for rule in policy.rules.all()} == {"abuse": 4, "markup": 3}
    assert [event.action for event in events_of(person)] == [
        "guardpolicy.created",
        "guardrule.created",
        "guardrule.created",
    ]


def test_a_new_policy_begins_with_what_is_usual(client: Client, person: User) -> None:
    text = client.get(f"{POLICIES}add/").content.decode()
    for guard in registry.guards().values():
        assert guard.title in text
    assert text.count('class="pcl-guard"') == len(registry.guards())


def test_what_did_not_change_leaves_no_event(client: Client, person: User) -> None:
    policy = a_guard_policy(rules=(a_guard_rule("abuse", direction="prompt"),), name="House rules", budget_ms=10_000)
    form = a_form(policy, abuse=Action.BLOCK)
    assert client.post(f"{POLICIES}{policy.pk}/change/", form).status_code == 302
    assert list(events_of(person)) == []


def test_a_guard_is_changed_and_another_added(client: Client, person: User) -> None:
    policy = a_guard_policy(rules=(a_guard_rule("abuse"),), name="House rules", budget_ms=10_000)
    form = a_form(policy, abuse=Action.LOG, links=Action.FLAG)
    form[f"{place_of(form, 'links')}-set_hosts"] = "example.org\nexample.com"
    assert client.post(f"{POLICIES}{policy.pk}/change/", form).status_code == 302
    found = {rule.guard: (rule.action, rule.settings) for rule in policy.rules.all()}
    assert found == {"abuse": (1, {}), "links": (2, {"hosts": ["example.org", "example.com"]})}
    assert [event.action for event in events_of(person)] == ["guardrule.changed", "guardrule.created"]


def test_a_setting_that_makes_no_sense_is_shown_beside_it(client: Client, person: User) -> None:
    form = a_form(abuse=Action.BLOCK)
    form[f"{place_of(form, 'abuse')}-set_messages"] = 0
    answer = client.post(f"{POLICIES}add/", form)
    assert answer.status_code == 200
    assert "at least 1." in answer.content.decode()
    assert not GuardPolicy.objects.exists()


def test_who_may_only_look_sees_what_is_done(client: Client) -> None:
    policy = a_guard_policy(rules=(a_guard_rule("abuse"),))
    somebody_with(client, "view_guardpolicy")
    text = client.get(f"{POLICIES}{policy.pk}/change/").content.decode()
    assert "<strong>Block</strong>" in text
    assert "<select" not in text.partition('class="pcl-guards"')[2].partition("data-try")[0]
    assert client.post(f"{POLICIES}{policy.pk}/change/", a_form(policy)).status_code == 403


def test_the_list_says_what_each_policy_does(client: Client, person: User) -> None:
    a_guard_policy(a_tenant(), rules=(a_guard_rule("abuse"), a_guard_rule("links", Action.FLAG)), environment="dev")
    text = client.get(POLICIES).content.decode()
    assert "all applications, dev" in text


def test_a_guard_that_can_never_run_here_is_not_saved(client: Client, person: User) -> None:
    answer = client.post(f"{POLICIES}add/", a_form(names=Action.BLOCK))
    text = html.unescape(answer.content.decode())
    assert answer.status_code == 200
    assert "Names cannot run here. Presidio is not installed. Install the extra, pip install" in text
    assert not GuardPolicy.objects.exists()
    assert client.post(f"{POLICIES}add/", a_form(names=Action.OFF)).status_code == 302


def test_what_is_wrong_with_guards_is_told_on_top(client: Client, person: User) -> None:
    form = a_form(abuse=Action.BLOCK, links=Action.FLAG)
    form[f"{place_of(form, 'abuse')}-threshold"] = 7
    form[f"{place_of(form, 'links')}-on_error"] = "perhaps"
    top = client.post(f"{POLICIES}add/", form).content.decode().partition('id="guardpolicy_form"')[0]
    assert "Something is wrong with 2 guards" in top
    assert '<a href="#guard-abuse">Abusive shape</a>: Threshold: Ensure this value is less than or equal to 1.' in top
    assert '<a href="#guard-links">' in top
    assert "guard-secrets" not in top


def test_moderation_that_nobody_serves_is_warned_of(client: Client, person: User) -> None:
    answer = client.post(f"{POLICIES}add/", a_form(moderation=Action.BLOCK), follow=True)
    assert "No active deployment with a price serves the model omni-moderation-latest" in answer.content.decode()
    policy = GuardPolicy.objects.get(name="House rules")
    page = f"{POLICIES}{policy.pk}/change/"
    assert "Until then what it should look at is refused." in client.get(page).content.decode()
    policy.rules.update(on_error="allow")
    assert "Until then what it should look at passes unchecked" in client.get(page).content.decode()
    a_model(a_provider("http://127.0.0.1:1/v1"), name="omni-moderation-latest")
    assert "cannot look" not in client.get(page).content.decode()


def test_what_a_guard_looks_for_is_asked_once(client: Client, person: User) -> None:
    rule = a_guard_rule("word_list", Action.FLAG, rules=["hate"], settings={"categories": ["hate", "violence"]})
    text = client.get(f"{POLICIES}add/").content.decode()
    for guard in ("names", "word_list", "moderation"):
        own = text.partition(f'id="guard-{guard}"')[2].partition("</section>")[0]
        assert own.count("What it looks for") == 1
        assert "-rules" not in own
    narrowed = client.get(f"{POLICIES}{a_guard_policy(rules=(rule,)).pk}/change/").content.decode()
    own = narrowed.partition('id="guard-word_list"')[2].partition("</section>")[0]
    assert "What it looks for" in own
    assert "Of that counts" in own


# --- the box ---------------------------------------------------------------------------------------------------------


def test_a_policy_is_tried_out_unsaved(client: Client, person: User) -> None:
    tenant = a_tenant()
    a_guard_pattern(tenant, name="BADGE", expression=r"\bEMP-\d{5}\b")
    policy = a_guard_policy(tenant, name="House rules", budget_ms=10_000)
    form = {**a_form(policy, patterns=Action.REDACT), "try_policy": policy.pk, "try_text": "It is EMP-12345 <b>."}
    text = client.post(f"{POLICIES}try/", form).content.decode()
    assert '<mark title="BADGE">EMP-12345</mark>' in text
    assert "It is [BADGE] &lt;b&gt;." in text
    assert not policy.rules.exists()
    assert list(events_of(person)) == []


def test_what_is_blocked_does_not_go_out(client: Client, person: User) -> None:
    tenant = a_tenant()
    a_guard_dictionary(tenant, words=("Project Borealis",), name="PROJECTS")
    policy = a_guard_policy(tenant, name="House rules", budget_ms=10_000)
    form = {**a_form(policy, dictionaries=Action.BLOCK), "try_policy": policy.pk, "try_text": "About project  borealis"}
    text = client.post(f"{POLICIES}try/", form).content.decode()
    assert "Blocked by Dictionaries. Nothing goes out." in text
    assert "data-outgoing" not in text


def test_a_line_that_makes_no_sense_cannot_be_tried(client: Client, person: User) -> None:
    form = {**a_form(abuse=Action.BLOCK), "try_text": "Hello"}
    form[f"{place_of(form, 'abuse')}-threshold"] = 7
    text = client.post(f"{POLICIES}try/", form).content.decode()
    assert "Abusive shape: Ensure this value is less than or equal to 1." in text


def test_who_may_only_look_tries_what_is_saved(client: Client) -> None:
    tenant = a_tenant()
    a_guard_pattern(tenant, name="BADGE", expression=r"\bEMP-\d{5}\b")
    rule = a_guard_rule("patterns", Action.REDACT)
    policy = a_guard_policy(tenant, rules=(rule,), budget_ms=10_000)
    somebody_with(client, "view_guardpolicy")
    text = client.post(f"{POLICIES}try/", {"try_policy": policy.pk, "try_text": "EMP-12345"}).content.decode()
    assert "[BADGE]" in text


def test_who_may_not_look_tries_nothing(client: Client) -> None:
    policy = a_guard_policy()
    somebody_with(client, "view_guardpattern")
    assert client.post(f"{POLICIES}try/", {"try_policy": policy.pk, "try_text": "x"}).status_code == 403


@pytest.mark.parametrize("number", ["0", "x"], ids=["unknown", "no number"])
def test_a_policy_that_is_not_there_is_not_tried(client: Client, person: User, number: str) -> None:
    assert client.post(f"{POLICIES}try/", {"try_policy": number, "try_text": "x"}).status_code == 404


def test_moderation_that_nobody_serves_is_not_asked_and_the_box_says_why(client: Client, person: User) -> None:
    form = {**a_form(moderation=Action.BLOCK), "try_text": "Some violence"}
    text = client.post(f"{POLICIES}try/", form).content.decode()
    assert "Refused, as Moderation model could not look." in text
    assert "Moderation was not asked. No active deployment with a price serves the model" in text


def test_moderation_is_asked_about_what_other_guards_leave(upstream: Upstream) -> None:
    trial = tried(upstream, "A scene of violence for ada@example.com")
    assert (trial.blocked_by, trial.is_unchecked, trial.unasked) == ("moderation", False, "")
    assert [(each.guard, each.rule) for each in trial.outcomes][-1] == ("moderation", "violence")
    assert upstream.asked == [["A scene of violence for [EMAIL]"]]


def test_moderation_that_does_not_answer_fails_as_on_its_way(upstream: Upstream) -> None:
    upstream.status = 503
    trial = tried(upstream, "Peace")
    assert (trial.blocked_by, trial.is_unchecked) == ("moderation", True)
    assert "did not answer" in trial.unasked


@pytest.mark.parametrize(
    ("text", "fields", "why"),
    [
        ("My password: hunter2-Xk91!", {}, "another guard refuses the text before"),
        ("Peace", {"direction": "answer"}, "it is not to look at such texts"),
    ],
    ids=["refused before", "other direction"],
)
def test_where_moderation_is_not_asked_it_is_said_why(
    upstream: Upstream, text: str, fields: dict[str, Any], why: str
) -> None:
    assert why in tried(upstream, text, a_guard_rule("secrets"), **fields).unasked
    assert upstream.asked == []


# --- dictionaries and patterns ---------------------------------------------------------------------------------------


def test_a_dictionary_is_uploaded(client: Client, person: User) -> None:
    file = SimpleUploadedFile("projects.csv", b"Aurora,1\nBorealis,2\n")
    form = {"tenant": a_tenant().pk, "name": "Projects", "active": "on", "file": file}
    assert client.post("/admin/gateway/guarddictionary/add/", form).status_code == 302
    assert GuardDictionary.objects.get(name="Projects").entries == 2
    assert [event.action for event in events_of(person)] == ["guarddictionary.created", "guarddictionary.filled"]


def test_words_are_added_and_taken_out(client: Client, person: User) -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora", "borealis"), name="Projects")
    form = {"name": "Projects", "active": "on", "add_words": "corona\ndelta", "remove_words": "Aurora"}
    assert client.post(f"/admin/gateway/guarddictionary/{dictionary.pk}/change/", form).status_code == 302
    dictionary.refresh_from_db()
    assert dictionary.entries == 3


def test_a_wrong_file_is_refused_with_its_line(client: Client, person: User) -> None:
    file = SimpleUploadedFile("projects.txt", b"aurora\n" + b"x" * 61)
    form = {"tenant": a_tenant().pk, "name": "Projects", "active": "on", "file": file}
    text = client.post("/admin/gateway/guarddictionary/add/", form).content.decode()
    assert "Entry 2 has 61 characters" in text
    assert not GuardDictionary.objects.exists()


def test_how_far_an_upload_is_is_shown(client: Client, person: User) -> None:
    dictionary = a_guard_dictionary(a_tenant())
    GuardDictionary.objects.filter(pk=dictionary.pk).update(waits=True)
    text = client.get(f"/admin/gateway/guarddictionary/{dictionary.pk}/progress/").content.decode()
    assert "Waits to be compiled." in text
    assert "data-goes-on" in text


def test_a_pattern_that_could_take_long_is_refused(client: Client, person: User) -> None:
    form = {"tenant": a_tenant().pk, "name": "BADGE", "expression": r"EMP-\d+", "active": "on"}
    text = client.post("/admin/gateway/guardpattern/add/", form).content.decode()
    assert "Give repeats an upper bound" in text
    assert not GuardPattern.objects.exists()


# --- the review queue ------------------------------------------------------------------------------------------------


def review_page(item: ReviewItem, step: str = "change") -> str:
    return f"/admin/gateway/reviewitem/{item.pk}/{step}/"


def test_the_queue_shows_what_is_open(client: Client, person: User, key: ApiKey) -> None:
    open_, done = a_review(key), a_review(key)
    client.post(review_page(done, "dismiss"), {"reason": ""})
    text = client.get("/admin/gateway/reviewitem/").content.decode()
    assert review_page(open_) in text
    assert review_page(done) not in text
    assert review_page(done) in client.get("/admin/gateway/reviewitem/?state=all").content.decode()


@pytest.mark.parametrize(
    ("step", "state"),
    [("confirm", "confirmed"), ("dismiss", "dismissed"), ("block-key", "confirmed"), ("block-subject", "confirmed")],
    ids=["confirm", "dismiss", "block key", "block person"],
)
def test_a_reviewer_decides(client: Client, person: User, key: ApiKey, step: str, state: str) -> None:
    ada = subjects.enrol(tenant_id=key.tenant_id, external_id="ada@example.com", by=THE_SYSTEM)
    item = a_review(key, surrogate=ada.surrogate)
    assert client.get(review_page(item, step)).status_code == 200
    assert client.post(review_page(item, step), {"reason": "an attack"}).status_code == 302
    item.refresh_from_db()
    key.refresh_from_db()
    assert (item.state, item.decided_by) == (state, f"user {person.pk}")
    assert (key.status == "suspended") == (step == "block-key")
    assert Subject.objects.filter(pk=ada.pk, blocked_at__isnull=False).exists() == (step == "block-subject")


def test_a_block_that_was_lifted_is_not_shown_as_one(client: Client, person: User, key: ApiKey) -> None:
    ada = subjects.enrol(tenant_id=key.tenant_id, external_id="ada@example.com", by=THE_SYSTEM)
    item = a_review(key, surrogate=ada.surrogate)
    for step in ("block-key", "block-subject"):
        client.post(review_page(item, step), {"reason": "an attack"})
    assert "Key and person" in client.get("/admin/gateway/reviewitem/?state=all").content.decode()
    blocked = client.get(review_page(item)).content.decode()
    assert "UTC, and is suspended." in blocked
    assert "UTC, and still is." in blocked
    assert "Block the key" not in blocked
    keys.resume(key=ApiKey.objects.get(pk=key.pk), by=THE_SYSTEM)
    subjects.unblock(subject=Subject.objects.get(pk=ada.pk), by=THE_SYSTEM)
    rows = client.get("/admin/gateway/reviewitem/?state=all").content.decode().partition("result_list")[2]
    assert "Lifted" in rows
    assert "Key and person" not in rows
    lifted = client.get(review_page(item)).content.decode()
    assert "UTC; that was lifted, and it is active." in lifted
    assert "UTC; that was lifted." in lifted
    assert "Block the key" in lifted
    assert "Block the person" in lifted


def test_a_key_that_others_have_blocked_is_shown_so(client: Client, person: User, key: ApiKey) -> None:
    item = a_review(key)
    assert "Nobody" in client.get(review_page(item)).content.decode()
    keys.suspend(key=key, by=THE_SYSTEM)
    assert "The key is suspended, not by this review." in client.get(review_page(item)).content.decode()


def test_what_is_about_the_whole_is_from_nobody(client: Client, person: User, key: ApiKey) -> None:
    item = a_review(key, role="")
    assert "prompt, as a whole" in client.get(review_page(item)).content.decode()
    assert "prompt, as a whole" in client.get("/admin/gateway/guarddecision/?since=month").content.decode()


def test_several_are_dismissed_at_once(client: Client, person: User, key: ApiKey) -> None:
    items = [a_review(key) for _ in range(3)]
    chosen = {"action": "dismiss_chosen", "_selected_action": [item.pk for item in items]}
    client.post("/admin/gateway/reviewitem/", chosen)
    assert ReviewItem.objects.filter(state="dismissed").count() == 3
    assert AuditEvent.objects.filter(action="reviewitem.dismissed").count() == 3


def test_a_note_is_written(client: Client, person: User, key: ApiKey) -> None:
    item = a_review(key)
    client.post(review_page(item, "note"), {"reason": "Looks like a test <b>."})
    text = client.get(review_page(item)).content.decode()
    assert "Looks like a test &lt;b&gt;." in text


def test_who_may_not_block_is_not_offered_to(client: Client, key: ApiKey) -> None:
    item = a_review(key)
    somebody_with(client, "view_reviewitem", "change_reviewitem")
    text = client.get(review_page(item)).content.decode()
    assert "Dismiss" in text
    assert "Block the key" not in text
    assert client.post(review_page(item, "block-key"), {"reason": "an attack"}).status_code == 403


def test_who_may_only_look_decides_nothing(client: Client, key: ApiKey) -> None:
    item = a_review(key)
    somebody_with(client, "view_reviewitem")
    assert client.get(review_page(item)).status_code == 200
    for step in ("confirm", "dismiss", "note"):
        assert client.post(review_page(item, step), {"reason": "x"}).status_code == 403


def test_where_nothing_is_stored_the_page_says_so(client: Client, person: User, key: ApiKey) -> None:
    assert "Not stored: the tenant stores none." in client.get(review_page(a_review(key))).content.decode()


# --- the front page --------------------------------------------------------------------------------------------------


def test_the_front_page_counts_by_guard_and_tenant(client: Client, person: User, key: ApiKey) -> None:
    a_review(key, "injection")
    guard_decisions(key, "secrets", action=Action.REDACT)
    guard_decisions(key, "abuse", action=Action.BLOCK, error="raised", rule="")
    text = client.get("/admin/").content.decode()
    assert "1 to review" in text
    assert "Guards could not look 1 time." in text
    assert "1 blocked, 1 redacted, 1 flagged" in text
    failed = client.get("/admin/gateway/guarddecision/?since=month&failed=any").content.decode()
    assert "Abusive shape" in failed.partition("result_list")[2]
    assert "Prompt injection" not in failed.partition("result_list")[2].partition("</table>")[0]


def test_who_may_not_see_decisions_sees_no_counts(client: Client, key: ApiKey) -> None:
    a_review(key)
    somebody_with(client, "view_tenant")
    assert "Guards, by tenant" not in client.get("/admin/").content.decode()


def test_trying_out_an_answer_looks_at_its_form_too() -> None:
    rule = a_guard_rule("output_format", Action.BLOCK, direction="answer", settings={"json": True})
    policy = a_guard_policy(a_tenant(), rules=(rule,))

    def tried(text: str) -> str:
        asked = guard_trials.run(policy, policy.rules.all(), text=text, role=Role.ASSISTANT, direction=Direction.ANSWER)
        return asked.blocked_by

    assert tried("not JSON") == "output_format"
    assert tried('{"is": "JSON"}') == ""
