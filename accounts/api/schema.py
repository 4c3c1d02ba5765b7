"""What the API schema says of keys. Only `config/api_urls.py` imports it: serving requests needs nothing of it."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a key is sent; the same as on the data plane."""

    target_class = "accounts.api.authentication.KeyAuthentication"
    name = "applicationKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "pcl_…"}
