"""What can go wrong in this app.

    ComplianceError
    └── DecryptionFailed    wrong key, moved or altered ciphertext
"""


class ComplianceError(Exception):
    """The base of this app's errors."""


class DecryptionFailed(ComplianceError):
    """The ciphertext was altered, belongs elsewhere, or was sealed under another key."""
