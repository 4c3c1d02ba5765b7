"""What can go wrong in this app, and what an action of any app refuses.

ComplianceError
└── DecryptionFailed    wrong key, moved or altered ciphertext
ActionRefused           the state of things does not allow the action; each app derives its own
"""


class ComplianceError(Exception):
    """The base of this app's errors."""


class DecryptionFailed(ComplianceError):
    """The ciphertext was altered, belongs elsewhere, or was sealed under another key."""


class ActionRefused(Exception):
    """The state of things does not allow an action. Its text is written for the person who tried."""
