from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts import claims, evidence, privacy, sign_ins
        from accounts.lookups import lookups_of
        from accounts.officers import addresses_of
        from accounts.sealed_columns import COLUMN
        from compliance import lookups, officers, sealed

        lookups.register(lookups_of)
        officers.use(addresses_of)
        privacy.register_stores()
        evidence.register()
        sealed.register(COLUMN, *claims.COLUMNS)
        sign_ins.listen()
