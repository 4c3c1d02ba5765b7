from gateway.models.policy import PolicyRevision
from gateway.models.routes import Deployment, Model, Provider, ProviderCredential

__all__ = ["Deployment", "Model", "PolicyRevision", "Provider", "ProviderCredential"]
