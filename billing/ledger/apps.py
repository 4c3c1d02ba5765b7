from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The tables of the ledger database: meters, holds and the usage outbox."""

    name = "billing.ledger"
    label = "ledger"
    verbose_name = "Ledger"
