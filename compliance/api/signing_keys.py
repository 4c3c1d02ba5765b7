"""What the signatures of this installation verify by."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import signing
from compliance.api import params, shapes
from compliance.api.access import ApplicationView, IsApplication


class SigningKeys(ApplicationView):
    """Public keys, of every application's business."""

    permission_classes = [IsApplication]

    @extend_schema(
        **shapes.described(
            "listSigningKeys",
            "signatures",
            shapes.SigningKeysOut,
            refusals={**shapes.NONSENSE, **shapes.NOT_NOW},
            description="The public keys by which receipts and certificates verify, the newest first. Keep them: then "
            "you need nobody to verify what was signed. Any key may ask.",
        )
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ())
        return Response({"keys": [{"key": key.hex(), "algorithm": "Ed25519"} for key in signing.public_keys()]})
