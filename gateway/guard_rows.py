"""Finds the guard policy that holds for a key. Runs in a thread, while policy is compiled."""

from collections.abc import Iterable

from django.db.models import Q

from accounts import salts
from accounts.models import ApiKey, Tenant
from gateway import memory
from gateway.dictionaries import word_lists
from gateway.guard_terms import guarding_of, key_of
from gateway.guards.base import Guarding
from gateway.guards.defaults import default_guarding
from gateway.guards.engine import engine_of
from gateway.guards.scanning import scanner_of
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy, GuardRule


def guarding_for(key: ApiKey) -> Guarding:
    """The narrowest policy that fits the key; where none does, the one that holds by default. Its engine is ready.

    Raises:
        DecryptionFailed: a dictionary cannot be read. Without it nothing may pass.
    """
    tenant = key.application.tenant
    policy = narrowest(key)
    if policy is None:
        guarding = default_guarding(key=_derived(tenant))
    else:
        guarding = read(policy, policy.rules.all(), tenant=tenant)
    warm_up(guarding)
    return guarding


def read(policy: GuardPolicy, rules: Iterable[GuardRule], *, tenant: Tenant | None) -> Guarding:
    """A policy as guards read it, with what is the tenant's own; without one, as nobody's. It need not be saved.

    Raises:
        DecryptionFailed: a dictionary cannot be read.
    """
    if tenant is None:
        return guarding_of(policy, rules)
    return guarding_of(
        policy,
        rules,
        key=_derived(tenant),
        dictionaries=word_lists(GuardDictionary.objects.filter(tenant=tenant, active=True).order_by("name")),
        patterns=GuardPattern.objects.filter(tenant=tenant, active=True),
    )


def _derived(tenant: Tenant) -> bytes:
    return key_of(salts.unseal(tenant.pseudonym_salt))


def warm_up(guarding: Guarding) -> None:
    """Has everything compiled that guards need: here, as it takes longer than requests should wait, and twenty times
    the memory of what is kept of it."""
    compiled = scanner_of.cache_info().misses
    engine_of(guarding).prepare()
    if scanner_of.cache_info().misses > compiled:
        memory.give_back()
        memory.forget_pages("_hs_ext.")  # the compiler is 4 MB


def narrowest(key: ApiKey) -> GuardPolicy | None:
    """An application's before its tenant's before the platform's; of each, an environment's before that of all."""
    application = key.application
    fitting = GuardPolicy.objects.filter(
        Q(tenant=None) | Q(tenant=application.tenant, application=None) | Q(application=application),
        environment__in=("", key.environment),
        active=True,
    )
    return max(fitting, key=_narrowness, default=None)


def _narrowness(policy: GuardPolicy) -> tuple[bool, bool, bool]:
    return policy.application_id is not None, policy.tenant_id is not None, bool(policy.environment)
