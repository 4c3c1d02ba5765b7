from django.apps import AppConfig


class KeyringConfig(AppConfig):
    """The tables of the keys database: wrapped keys, what is left of destroyed ones, and the ledger of erasures."""

    name = "compliance.keyring"
    label = "keys"
    verbose_name = "Keys"
