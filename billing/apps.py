from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        from billing import announced, evidence, kept_usage, privacy, webhook_secrets
        from billing.actions import announcements
        from compliance import announcing, sealed

        privacy.register_stores()
        evidence.register()
        sealed.register(webhook_secrets.COLUMN)
        kept_usage.register_purger()
        announcing.use(
            lambda each: announcements.announce(announcement=each),
            lambda kind, tenant_id, subject: announcements.is_over(kind=kind, tenant_id=tenant_id, subject=subject),
            announced.open_subjects,
        )
