from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "compliance"
    verbose_name = "Compliance"

    def ready(self) -> None:
        from compliance import controls, own_controls, privacy, sealed
        from compliance.actions import holds, offboarding, root_keys  # noqa: F401 - says what is done once two people agreed
        from compliance.keyring import usage
        from compliance.packs import own, sections
        from compliance.purging import register
        from compliance.siem import secrets

        privacy.register_stores()
        sections.register(*own.SECTIONS)
        controls.register(*own_controls.CONTROLS)
        sealed.register(*usage.KEYS, *secrets.COLUMNS)
        register.register_all()
