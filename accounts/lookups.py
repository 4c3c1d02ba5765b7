"""Tells compliance, which may not know tenants, how a person's lookup is computed."""

import re
from collections.abc import Collection

from accounts import salts
from accounts.models import Tenant
from accounts.pseudonyms import pseudonym

# The gateway removes these from every text that it gets (gateway/wire/body.py), so also from what names a person.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def lookups_of(tenant_id: int, external_ids: Collection[str]) -> dict[str, str]:
    """The keyed hashes of `external_ids` under the tenant's salt.

    Raises:
        DecryptionFailed: the root key of the salt is not at hand.
    """
    salt = salts.unseal(Tenant.objects.only("pseudonym_salt").get(pk=tenant_id).pseudonym_salt)
    return {external_id: pseudonym(_CONTROL.sub("", external_id), salt=salt) for external_id in external_ids}
