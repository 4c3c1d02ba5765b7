"""What holds for keys for which there is no policy."""

from gateway.guards.base import Action, Direction, Guarding, OnError, Terms

TERMS = (
    Terms(guard="abuse", action=Action.BLOCK, directions=frozenset({Direction.PROMPT})),
    Terms(guard="canaries", action=Action.BLOCK, directions=frozenset({Direction.ANSWER})),
    Terms(guard="secrets", action=Action.REDACT),
    Terms(guard="personal_data", action=Action.LOG, on_error=OnError.ALLOW),
    Terms(
        guard="injection",
        action=Action.FLAG,
        directions=frozenset({Direction.PROMPT}),
        on_error=OnError.ALLOW,
    ),
)


def default_guarding(*, key: bytes = b"") -> Guarding:
    """Secrets do not pass, personal data and attacks are noted; what is only noted blocks nothing when it fails.

    `key`: of the tenant, see `Guarding`.
    """
    return Guarding(policy_id=0, terms=TERMS, key=key)
