from gateway.admin import (
    credentials,
    guard_decisions,
    guard_dictionaries,
    guard_patterns,
    guard_policies,
    leaks,
    models,
    providers,
    reviews,
)

__all__ = [
    "credentials",
    "guard_decisions",
    "guard_dictionaries",
    "guard_patterns",
    "guard_policies",
    "leaks",
    "models",
    "providers",
    "reviews",
]
