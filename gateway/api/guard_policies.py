"""Guard policies of the tenant whose key calls: read, written, and tried out."""

from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Application
from compliance.api import params, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter
from gateway import guard_trials
from gateway.actions import guard_policies
from gateway.api import guard_shapes
from gateway.guards import registry, settings
from gateway.guards.base import Direction, Role
from gateway.models import GuardPolicy

TAG = "guards"


class Guards(ApplicationView):
    """What guards there are."""

    scope = "guards"

    @extend_schema(
        **shapes.described(
            "listGuards",
            TAG,
            guard_shapes.GuardListOut,
            refusals=shapes.NONSENSE,
            description="All guards, with what a policy can say of each.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ())
        return Response({"guards": [_guard(guard) for guard in registry.guards().values()]})


class GuardPolicies(ApplicationView):
    """The tenant's policies."""

    scope = "guards"

    @extend_schema(
        **shapes.described(
            "listGuardPolicies",
            TAG,
            guard_shapes.GuardPolicyPage,
            refusals=shapes.NONSENSE,
            description="The tenant's policies. Of those that fit a key the narrowest holds, alone.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ())
        rows = GuardPolicy.objects.filter(tenant=caller_of(request).tenant_id).select_related("application")
        return Response({"policies": [guard_shapes.policy(row) for row in rows.order_by("pk")]})

    @extend_schema(
        **shapes.described(
            "addGuardPolicy",
            TAG,
            guard_shapes.GuardPolicyOut,
            status=201,
            request=guard_shapes.GuardPolicyIn,
            refusals=shapes.NONSENSE,
            description="Adds a policy for the tenant, or for one of its applications or environments. It holds in "
            "every gateway within a second.",
        )
    )
    def post(self, request: Request) -> Response:
        values, rules = _sent(request)
        policy = GuardPolicy(tenant_id=caller_of(request).tenant_id, **values)
        policy = guard_policies.add(policy=policy, rules=rules, by=caller_of(request).actor)
        return Response(guard_shapes.policy(policy), status=201)


class OneGuardPolicy(ApplicationView):
    """One policy."""

    scope = "guards"

    @extend_schema(**shapes.described("readGuardPolicy", TAG, guard_shapes.GuardPolicyOut, refusals=shapes.NOT_FOUND))
    def get(self, request: Request, policy_id: int) -> Response:
        return Response(guard_shapes.policy(_found(request, policy_id)))

    @extend_schema(
        **shapes.described(
            "replaceGuardPolicy",
            TAG,
            guard_shapes.GuardPolicyOut,
            request=guard_shapes.GuardPolicyIn,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND},
            description="Puts what is sent in place of the policy, its rules included. For whom it holds stays.",
        )
    )
    def put(self, request: Request, policy_id: int) -> Response:
        policy = _found(request, policy_id)
        values, rules = _sent(request)
        scope = (policy.application_id, policy.environment)
        if scope != (values["application"].pk if values["application"] else None, values["environment"]):
            raise InvalidParameter("application", "For whom a policy holds stays. Add another one, and delete this.")
        for name, value in values.items():
            setattr(policy, name, value)
        guard_policies.replace(policy=policy, rules=rules, by=caller_of(request).actor)
        return Response(guard_shapes.policy(policy))

    @extend_schema(
        **shapes.described(
            "deleteGuardPolicy",
            TAG,
            None,
            status=204,
            refusals=shapes.NOT_FOUND,
            description="Deletes it. The next wider one holds from then on.",
        )
    )
    def delete(self, request: Request, policy_id: int) -> Response:
        guard_policies.remove(policy=_found(request, policy_id), by=caller_of(request).actor)
        return Response(status=204)


class TryGuardPolicy(ApplicationView):
    """What a policy would do with a text."""

    scope = "guards"

    @extend_schema(
        **shapes.described(
            "tryGuardPolicy",
            TAG,
            guard_shapes.TriedOut,
            request=guard_shapes.TryIn,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND},
            description="What the policy would do with one text. The text is kept nowhere, and sent nowhere but to the "
            "moderation model that the policy has asked; `unasked` says why that was not.",
        )
    )
    @method_decorator(sensitive_variables())
    def post(self, request: Request, policy_id: int) -> Response:
        policy = _found(request, policy_id)
        sent = guard_shapes.TryIn(data=request.data)
        sent.is_valid(raise_exception=True)
        asked = sent.validated_data
        trial = guard_trials.run(
            policy,
            policy.rules.all(),
            text=asked["text"],
            role=Role(asked["role"]),
            direction=Direction(asked["direction"]),
        )
        return Response(_tried(trial))


def _found(request: Request, policy_id: int) -> GuardPolicy:
    rows = GuardPolicy.objects.filter(tenant=caller_of(request).tenant_id).select_related("tenant", "application")
    found = rows.filter(pk=policy_id).first()
    if found is None:
        raise NotFound("There is no such policy.")
    return found


def _sent(request: Request) -> tuple[dict[str, Any], list[Any]]:
    sent = guard_shapes.GuardPolicyIn(data=request.data)
    sent.is_valid(raise_exception=True)
    values = dict(sent.validated_data)
    rules = [guard_shapes.rule_of(dict(each)) for each in values.pop("rules")]
    return {**values, "application": _application(request, values["application"])}, rules


def _application(request: Request, slug: str | None) -> Application | None:
    if not slug:
        return None
    found = Application.objects.filter(tenant=caller_of(request).tenant_id, slug=slug).first()
    if found is None:
        raise InvalidParameter("application", "The tenant has no application of that short name.")
    return found


def _guard(guard: Any) -> dict[str, Any]:
    return {
        "name": guard.name,
        "title": guard.title,
        "help": guard.help,
        "actions": [action.name.lower() for action in guard.actions],
        "directions": sorted(guard.directions),
        "rules": list(guard.rule_names),
        "settings": [
            {
                "name": each.name,
                "title": each.title,
                "help": each.help,
                "kind": each.kind,
                "choices": list(each.choices),
                "default": each.default,
                "least": each.least,
                "most": settings.most_of(each),
            }
            for each in guard.settings
        ],
    }


def _tried(trial: guard_trials.Trial) -> dict[str, Any]:
    return {
        "action": trial.action.name.lower(),
        "blocked_by": trial.blocked_by,
        "outcomes": [
            {
                "guard": each.guard,
                "rule": each.rule,
                "action": each.action.name.lower(),
                "count": each.count,
                "score": round(each.score, 4),
                "error": each.error,
            }
            for each in trial.outcomes
        ],
        "outgoing": trial.outgoing,
        "unasked": trial.unasked,
    }
