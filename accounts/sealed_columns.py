"""What this app keeps under the root key."""

from accounts.models import Tenant
from accounts.salts import CONTEXT
from compliance import sealed

COLUMN = sealed.Column(model=Tenant, name="pseudonym_salt", context=lambda tenant: CONTEXT, title="tenants' salts")
