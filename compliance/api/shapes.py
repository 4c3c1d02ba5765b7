"""What the endpoints for applications take and give, and what the schema says of it."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from compliance import consent_states, receipts
from compliance.actions.consents import OFFERED
from compliance.actions.subjects import LONGEST
from compliance.api.access import Strict
from compliance.models import ConsentNotice, ConsentRecord, Subject

GPC_HEADER = "X-Portcullis-GPC"
LANGUAGE = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"


def subject_field() -> serializers.CharField:
    return serializers.CharField(
        max_length=LONGEST,
        trim_whitespace=False,
        help_text="The person, as your requests name them in `safety_identifier` or `user`.",
    )


def purpose_field() -> serializers.SlugField:
    return serializers.SlugField(max_length=50, help_text="`store_conversations`, `training`, or another purpose.")


class ConsentIn(Strict):
    """A person's decision."""

    subject = subject_field()
    purpose = purpose_field()
    state = serializers.ChoiceField([str(state) for state in OFFERED])
    notice_version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, allow_null=True, help_text="They saw; else the newest."
    )
    language = serializers.RegexField(
        LANGUAGE, max_length=35, required=False, allow_null=True, help_text="Of the notice, as in BCP 47."
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="From then on it allows nothing.")
    at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="When they decided; else now. What is older than what is on record is refused: send it, so that a "
        "decision that you send again does not undo what came after it.",
    )
    collection_method = serializers.CharField(
        max_length=100, required=False, allow_blank=True, help_text="E.g. sign-up form."
    )
    jurisdiction = serializers.CharField(max_length=50, required=False, allow_blank=True, help_text="E.g. EU, US-CA.")


class WithdrawIn(Strict):
    """A person takes their consent back."""

    subject = subject_field()
    purpose = purpose_field()


class NoticeRef(serializers.Serializer[Any]):
    """Which notice the person saw."""

    version = serializers.IntegerField()
    language = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of its text: `/api/notices/{sha256}` shows it.")


class ConsentOut(serializers.Serializer[Any]):
    """One record. The live one holds; those before it are history."""

    receipt_id = serializers.UUIDField()
    record_id = serializers.UUIDField(help_text="The same for all that follow one another.")
    surrogate = serializers.CharField(help_text="What the person is called here.")
    purpose = serializers.CharField()
    state = serializers.ChoiceField([str(state) for state in ConsentRecord.State])
    event_type = serializers.ChoiceField(
        [*consent_states.EVENT_TYPES.values(), consent_states.OPT_OUT_SIGNAL],
        help_text="What led to the state (ISO/IEC TS 27560).",
    )
    live = serializers.BooleanField()
    notice = NoticeRef()
    event_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    collection_method = serializers.CharField(allow_blank=True)
    jurisdiction = serializers.CharField(allow_blank=True)
    opted_out_by_gpc = serializers.BooleanField(help_text="Refused because of `Sec-GPC: 1`, whatever was sent.")


class ReceiptOut(serializers.Serializer[Any]):
    """A signed receipt (ISO/IEC TS 27560)."""

    payload = serializers.DictField()
    kind = serializers.ChoiceField([receipts.KIND])
    signed_at = serializers.CharField()
    key = serializers.CharField(help_text="The public key (Ed25519), in hex.")
    signature = serializers.CharField(help_text="Base64, over the canonical JSON of the rest.")


class RecordedOut(serializers.Serializer[Any]):
    """What was recorded, and its receipt, which is for the person."""

    consent = ConsentOut()
    allows = serializers.BooleanField(help_text="Whether the purpose is allowed from now on.")
    receipt = ReceiptOut(allow_null=True, help_text="Null while the signing key is out of reach; ask for it later.")


class WithdrawnOut(serializers.Serializer[Any]):
    """What a withdrawal found."""

    outcome = serializers.ChoiceField(
        ["withdrawn", "already_withdrawn", "never_given"],
        help_text="`never_given`: nothing was there to withdraw, and nothing is allowed.",
    )
    consent = ConsentOut(allow_null=True, help_text="What holds now.")
    receipt = ReceiptOut(allow_null=True)


class ConsentPage(serializers.Serializer[Any]):
    """Records of one person, the newest first."""

    consents = ConsentOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Send it as `before` for those that follow.")


class NoticeOut(serializers.Serializer[Any]):
    """What people are told. Show them the text, and send the version with what they decide."""

    purpose = serializers.CharField()
    version = serializers.IntegerField()
    language = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    sha256 = serializers.CharField()
    material_change = serializers.BooleanField(help_text="Consent to earlier versions does not cover this one.")
    published_at = serializers.DateTimeField()
    controller = serializers.CharField()
    lawful_basis = serializers.CharField()
    personal_data = serializers.ListField(child=serializers.CharField())
    recipients = serializers.ListField(child=serializers.CharField())
    storage_location = serializers.CharField(allow_blank=True)
    jurisdiction = serializers.CharField(allow_blank=True)
    retention = serializers.CharField(allow_blank=True)
    withdrawal_method = serializers.CharField(allow_blank=True)
    authority = serializers.CharField(allow_blank=True)
    rights = serializers.ListField(child=serializers.CharField())


class NoticesOut(serializers.Serializer[Any]):
    """The newest published version, in the languages that there are."""

    notices = NoticeOut(many=True)


class SigningKeyOut(serializers.Serializer[Any]):
    """A public key."""

    key = serializers.CharField(help_text="32 bytes, in hex; what was signed names it.")
    algorithm = serializers.ChoiceField(["Ed25519"])


class SigningKeysOut(serializers.Serializer[Any]):
    """Public keys, the newest first."""

    keys = SigningKeyOut(many=True)


class SubjectOut(serializers.Serializer[Any]):
    """A person, as they are known here."""

    surrogate = serializers.CharField()
    state = serializers.ChoiceField([str(state) for state in Subject.State])
    created_at = serializers.DateTimeField()
    state_since = serializers.DateTimeField()


class SubjectPage(serializers.Serializer[Any]):
    """People, those enrolled last first."""

    subjects = SubjectOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it as `before` for those that follow.")


# --- from rows ---------------------------------------------------------------------------------------------------


def consent(record: ConsentRecord) -> dict[str, Any]:
    """A record as the API gives it."""
    values = {name: getattr(record, name) for name in _of(ConsentOut) if name not in ("notice", "surrogate")}
    notice = record.notice
    told = {"version": notice.version, "language": notice.language, "sha256": notice.text_sha256}
    return dict(ConsentOut({**values, "surrogate": record.subject.surrogate, "notice": told}).data)


def notice(row: ConsentNotice) -> dict[str, Any]:
    """A notice as the API gives it."""
    values = {name: getattr(row, name) for name in _of(NoticeOut) if name != "sha256"}
    return dict(NoticeOut({**values, "sha256": row.text_sha256}).data)


def _of(shape: type[serializers.Serializer[Any]]) -> list[str]:
    return [str(name) for name in shape().fields]


# --- for the schema ----------------------------------------------------------------------------------------------

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The field or parameter that is wrong."},
                "code": {"type": "string"},
            },
        }
    },
}
EVERYWHERE = {
    401: "The key is missing, malformed, unknown, suspended, revoked or expired.",
    403: "The key lacks the scope, or comes from the wrong network.",
    405: "Another method is wanted.",
    429: "Too many wrong keys came from this network, or this key has written too often, or named too many people who "
    "were never seen before; wait as long as `Retry-After` says.",
}
NONSENSE = {400: "A field or parameter is wrong; `param` names it, and the message says what to send."}
REFUSED = {
    409: "It cannot be recorded: `subject_erased`, `notice_not_published`, `notice_superseded`, `illegal_transition`, "
    "`older_than_recorded`. The message says what to send instead."
}
NOT_FOUND = {404: "There is nothing of that name for this key's tenant."}
NOT_NOW = {503: "The key store does not answer; retry in a moment."}


def described(
    operation_id: str, tag: str, given: Any, *, status: int = 200, repeats: bool = False, **more: Any
) -> dict[str, Any]:
    """Arguments of `extend_schema`: what the endpoint gives, and each refusal in words. `repeats`: who sends the same
    again is given the same, with 200."""
    refusals = {**EVERYWHERE, **more.pop("refusals", {})}
    errors = {
        (code, "application/json"): OpenApiResponse(ERROR, description=text) for code, text in sorted(refusals.items())
    }
    givens = {status: given, 200: given} if repeats else {status: given}
    return {"operation_id": operation_id, "tags": [tag], "responses": {**givens, **errors}, **more}


def parameter(name: str, text: str, type_: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, type_, OpenApiParameter.QUERY, description=text, **more)


GPC = OpenApiParameter(
    "Sec-GPC",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Pass on what the person's browser sent. `1` turns consent to purposes that honour it into a refusal.",
    enum=["1"],
)
