from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = "Gateway"

    def ready(self) -> None:
        from compliance import sealed
        from config import checks  # noqa: F401 - registers them
        from gateway import credentials, dictionaries, kept_decisions, kept_reviews, privacy, redaction
        from gateway.guarded_content import GuardRedactor

        privacy.register_stores()
        kept_decisions.register_purger()
        kept_reviews.register_purger()
        sealed.register(credentials.COLUMN, dictionaries.COLUMN)
        redaction.plug_in(GuardRedactor())
