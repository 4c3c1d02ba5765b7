from gateway.models.credentials import CredentialSource, ProviderCredential
from gateway.models.decisions import GuardDecision
from gateway.models.guard_words import GuardDictionary, GuardDictionaryContent, GuardPattern
from gateway.models.guards import GuardPolicy, GuardRule
from gateway.models.leaks import Leak, ScanningKey
from gateway.models.placeholders import GuardPlaceholder
from gateway.models.policy import PolicyRevision
from gateway.models.reviews import GuardCount, ReviewItem
from gateway.models.routes import Deployment, Model, Provider

__all__ = [
    "CredentialSource",
    "Deployment",
    "GuardCount",
    "GuardDecision",
    "GuardDictionary",
    "GuardDictionaryContent",
    "GuardPattern",
    "GuardPlaceholder",
    "GuardPolicy",
    "GuardRule",
    "Leak",
    "Model",
    "PolicyRevision",
    "Provider",
    "ProviderCredential",
    "ReviewItem",
    "ScanningKey",
]
