"""What this app keeps: routes and credentials, and in memory what the requests under way need."""

from compliance import processing
from compliance.registry import Class, Store, register
from compliance.registry import classified as of
from compliance.stores import eraser, table, tenants_eraser
from gateway import placeholder_rows
from gateway.actions import guard_decisions, guard_dictionaries, placeholders, reviews
from gateway.models import (
    CredentialSource,
    Deployment,
    GuardCount,
    GuardDecision,
    GuardDictionary,
    GuardDictionaryContent,
    GuardPattern,
    GuardPlaceholder,
    GuardPolicy,
    GuardRule,
    Leak,
    Model,
    PolicyRevision,
    Provider,
    ProviderCredential,
    ReviewItem,
    ScanningKey,
)

ROUTES = (
    table(
        Provider,
        "Providers",
        Class.POLICY,
        of(
            nothing="id slug name base_url output_limit_field connect_timeout_ms read_timeout_ms total_timeout_ms"
            " active"
        ),
        why="Who answers requests: the recipients of what people write.",
    ),
    table(
        ProviderCredential,
        "Credentials of providers",
        Class.POLICY,
        of(
            nothing="id provider_id version state origin last_four address created_at outcome answered tested_at tests"
            " ended_at destroyed_at",
            opens="sealed",
        ),
        why="What the gateway proves itself with.",
    ),
    table(
        CredentialSource,
        "Where credentials of providers are kept",
        Class.POLICY,
        of(nothing="id provider_id kind reference looked_at problem failures"),
        why="Where new versions of them are looked up.",
    ),
    table(
        Model,
        "Models",
        Class.POLICY,
        of(nothing="id name owned_by tokenizer hidden_reasoning image_tokens_most context_tokens active created_at"),
        why="What clients may ask for.",
    ),
    table(
        Deployment,
        "Deployments",
        Class.POLICY,
        of(nothing="id model_id provider_id upstream_model priority active"),
        why="Where each model is.",
    ),
    table(
        GuardPolicy,
        "Guard policies",
        Class.POLICY,
        of(
            nothing="id name tenant_id application_id environment active budget_ms restore_placeholders"
            " placeholder_ttl_hours created_at updated_at"
        ),
        why="What guards do for whom.",
    ),
    table(
        GuardRule,
        "Rules of guard policies",
        Class.POLICY,
        of(nothing="id policy_id guard action direction roles rules threshold on_error replacement settings"),
        why="What each guard does.",
    ),
    table(
        GuardDictionary,
        "Dictionaries of guards",
        Class.POLICY,
        of(nothing="id tenant_id name prefixes active entries version waits problem created_at updated_at"),
        tenant="tenant_id",
        why="Lists of words that a tenant does not let pass.",
    ),
    table(
        GuardDictionaryContent,
        "Words of dictionaries",
        Class.POLICY,
        of(nothing="dictionary_id upload_format", opens="data_key sealed upload"),
        why="The words themselves, sealed; they go when the tenant leaves.",
        erase_tenant=tenants_eraser(guard_dictionaries.delete_of_tenant),
    ),
    table(
        GuardPattern,
        "Patterns of guards",
        Class.POLICY,
        of(nothing="id tenant_id name expression active created_at"),
        tenant="tenant_id",
        why="The expressions that a tenant does not let pass.",
    ),
    table(
        Leak,
        "Leaked keys",
        Class.POLICY,
        of(
            nothing="id tenant_id key_id public_id source place url request_id sightings first_seen_at last_seen_at"
            " outcome handled_at"
        ),
        tenant="tenant_id",
        why="Which keys were seen where they do not belong, and what was done.",
    ),
    table(
        ScanningKey,
        "Keys of secret scanning",
        Class.POLICY,
        of(nothing="id identifier public_key active created_at"),
        why="Whose reports of leaked keys are believed.",
    ),
    table(
        PolicyRevision,
        "Revisions of policy",
        Class.POLICY,
        of(nothing="scope revision"),
        why="Tells processes that something changed.",
    ),
)

PEOPLE = (
    table(
        ReviewItem,
        "Reviews of what guards flagged",
        Class.METADATA,
        of(
            nothing="id request_id tenant_id application_id api_key_id environment model at guards rules score state"
            " decided_at key_blocked_at person_blocked_at",
            staff="decided_by notes",
        ),
        tenant="tenant_id",
        why="What people decided about exchanges that guards flagged; whom they were about only the decisions know.",
        erase_tenant=tenants_eraser(reviews.delete_of_tenant),
        purger="gateway_reviewitem",
    ),
    table(
        GuardCount,
        "Counts of what guards did",
        Class.USAGE,
        of(nothing="id tenant_id day guard action requests findings errors"),
        tenant="tenant_id",
        why="How often guards found something, by day and tenant.",
    ),
    table(
        GuardDecision,
        "Guard decisions",
        Class.METADATA,
        of(
            nothing="id request_id at tenant_id application_id api_key_id environment model policy_id guard rule action"
            " direction role count score error",
            surrogate="surrogate",
        ),
        person="surrogate",
        tenant="tenant_id",
        why="Shows what was found in requests and answers, never the text, and what was done about it.",
        erase=eraser(guard_decisions.sever),
        erase_tenant=tenants_eraser(guard_decisions.delete_of_tenant),
        purger="guard_decision",
    ),
    table(
        GuardPlaceholder,
        "What placeholders stand for",
        Class.CONTENT,
        of(nothing="id tenant_id code key_id created_at expires_at", surrogate="surrogate", content="sealed"),
        person="surrogate",
        tenant="tenant_id",
        why="Values that guards took out of requests, to be put back where later answers name them.",
        opened=placeholder_rows.values,
        erase=eraser(placeholders.delete_placeholders),
        remains=placeholder_rows.count,
        erase_tenant=tenants_eraser(placeholders.delete_tenants_placeholders),
        until="the hours that the guard policy says, at most a year, or until the consent ends",
    ),
)

PLACES = (
    Store(
        name="memory.requests",
        title="Requests in memory",
        keeps=Class.CONTENT,
        columns=of(subject="identifier", surrogate="end_user", content="request answer"),
        why="What is being answered, and content that waits for seconds to be encrypted and stored, or dropped.",
        severed="It is answered or dropped within seconds; what an erased person writes after that is not stored.",
        until="seconds: until it is answered, and stored or dropped",
    ),
    Store(
        name="providers",
        title="Providers",
        keeps=Class.CONTENT,
        columns=of(surrogate="user safety_identifier", content="request answer"),
        why="They answer the requests. A person is named to each by another keyed hash, of a surrogate that is random.",
        withheld="What providers keep is theirs to erase, under the contract with each (GDPR, 17(2) and 28(3)(g)).",
        until="as long as the contract with each provider says",
    ),
)


def recipients() -> list[str]:
    """Who answers requests: the providers in use."""
    return [f"{provider.name} ({provider.base_url})" for provider in Provider.objects.filter(active=True)]


def register_stores() -> None:
    """Registers what this app keeps, and to whom it passes; called once, when the apps are ready."""
    register(*ROUTES, *PEOPLE, *PLACES)
    processing.use(recipients)
