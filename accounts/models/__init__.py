from accounts.models.keys import ApiKey
from accounts.models.people import Membership, User
from accounts.models.rotation import RetiringSecret, SecretClaim, SecretUse
from accounts.models.tenants import Application, Tenant

__all__ = ["ApiKey", "Application", "Membership", "RetiringSecret", "SecretClaim", "SecretUse", "Tenant", "User"]
