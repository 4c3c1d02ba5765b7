from gateway.admin import models, providers

__all__ = ["models", "providers"]
