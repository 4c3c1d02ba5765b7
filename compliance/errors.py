"""What can go wrong in this app, and what an action of any app refuses.

ComplianceError
├── DecryptionFailed        moved or altered ciphertext
│   └── WrongKey            sealed under another key, or for another place: the commitment differs
├── KeyDestroyed            the key was destroyed, and what it sealed with it
├── ErasureIncomplete       something of an erased person is left
├── LedgerUnreachable       the files of the ledger of erasures cannot be read or written
├── LedgerBroken            they were changed or cut off, or belong to another installation
├── BackupFailed            a backup or a restore cannot go on; the text says what to do
├── BackupBroken            a backup was altered, is not whole, or belongs elsewhere
│   └── BackupKeyMissing    what it was encrypted under is not at hand
└── KeyStoreUnavailable     the keys database, or the root keys' provider, does not answer; later it may
    └── NotReplayed         a database was restored, and erasures since then were not replayed
ActionRefused               the state of things does not allow the action; each app derives its own
├── SubjectErased           the person was erased, and has not been enrolled again
├── ConsentRefused          what was sent about a consent cannot be recorded
│   ├── UnknownPurpose
│   ├── NoticeNotPublished
│   ├── NoticeSuperseded    a later version changed the terms
│   ├── OlderThanRecorded   the person has decided otherwise since
│   └── IllegalTransition   this state cannot follow that one
├── RequestRefused          what was asked about a subject request cannot be done with it
│   ├── IllegalMove         this state cannot follow that one
│   └── CodeRefused         the one-time code is wrong, too old, or was tried too often
├── AlreadyRunning          a job of that kind is under way
├── ApprovalRefused         a second person's agreement is missing, or cannot be given now
├── PlanChanged             what a purge would remove is not what was looked at
└── KeyVersionInUse         something still needs the version of a key that was to be retired
"""


class ComplianceError(Exception):
    """The base of this app's errors."""


class DecryptionFailed(ComplianceError):
    """The ciphertext was altered, belongs elsewhere, or was sealed under another key."""


class WrongKey(DecryptionFailed):
    """The record was sealed under another key, or for another place."""


class KeyDestroyed(ComplianceError):
    """The key was destroyed: nothing that it sealed can be read, and nothing may be sealed in its place."""


class KeyStoreUnavailable(ComplianceError):
    """The keys database, or the provider of the root keys, does not answer. Trying later makes sense."""


class SequencerHeld(ComplianceError):
    """Somebody else holds the lock under which audit events get their places, for longer than any work needs it."""


class NotReplayed(KeyStoreUnavailable):
    """A database was restored, and the erasures since then were not replayed: nothing is decrypted until they are."""


class ErasureIncomplete(ComplianceError):
    """Something of an erased person is left, or their key."""


class LedgerUnreachable(ComplianceError):
    """The files of the ledger of erasures cannot be read or written."""


class LedgerBroken(ComplianceError):
    """The files of the ledger of erasures were changed or cut off, or belong to another installation."""


class BackupFailed(ComplianceError):
    """A backup or a restore cannot go on. The text says what to do."""


class BackupBroken(ComplianceError):
    """A backup was altered, is not whole, or belongs elsewhere."""


class BackupKeyMissing(BackupBroken):
    """A backup was encrypted under a key that is not at hand."""


class ActionRefused(Exception):
    """The state of things does not allow an action. Its text is written for the person who tried."""


class AlreadyRunning(ActionRefused):
    """A job of that kind is under way, for the same thing."""


class KeyVersionInUse(ActionRefused):
    """Something still needs the version of a key that was to be retired."""


class SubjectErased(ActionRefused):
    """The person was erased: nothing about them is recorded until an officer enrols them again."""

    code = "subject_erased"


class ConsentRefused(ActionRefused):
    """A consent that cannot be recorded. `param` is what was sent wrong."""

    code = "consent_refused"
    param = ""


class UnknownPurpose(ConsentRefused):
    """Nobody declared this purpose."""

    code, param = "unknown_purpose", "purpose"


class NoticeNotPublished(ConsentRefused):
    """There is no such notice that people could have seen."""

    code, param = "notice_not_published", "notice_version"


class NoticeSuperseded(ConsentRefused):
    """A later version of the notice changed the terms, so that consent to this one allows nothing."""

    code, param = "notice_superseded", "notice_version"


class OlderThanRecorded(ConsentRefused):
    """The person has decided otherwise since: what arrives late does not undo it."""

    code, param = "older_than_recorded", "at"


class IllegalTransition(ConsentRefused):
    """The consent is in a state that this one cannot follow."""

    code, param = "illegal_transition", "state"


class ApprovalRefused(ActionRefused):
    """An approval cannot be asked for, given or withheld now."""


class RequestRefused(ActionRefused):
    """Something about a subject request that cannot be done. `param` is what was sent wrong."""

    code = "request_refused"

    def __init__(self, text: str, *, param: str = "") -> None:
        super().__init__(text)
        self.param = param


class IllegalMove(RequestRefused):
    """The request is in a state that this one cannot follow."""

    code = "illegal_transition"


class CodeRefused(RequestRefused):
    """The one-time code is wrong, too old, or was tried too often."""

    code = "invalid_code"


class PlanChanged(ActionRefused):
    """What is due, a policy or a hold has changed since the plan was made: look again."""
