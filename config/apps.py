"""The admin, with this project's own site."""

from django.conf import settings
from django.contrib.admin.apps import AdminConfig, SimpleAdminConfig


class PortcullisAdminConfig(AdminConfig):
    default_site = "config.admin.PortcullisSite"

    def ready(self) -> None:
        """Imports the admin of each app, and Celery. A process that serves the data plane alone has 14 MB less for
        doing neither, until somebody asks for the address of a page (`config/urls.py`), or for a task."""
        from compliance import enqueuing

        enqueuing.use(_use_own_broker)
        if settings.PLANE == "data":
            SimpleAdminConfig.ready(self)
        else:
            super().ready()
            _use_own_broker()


def _use_own_broker() -> None:
    """Lets every thread of this process send tasks to the broker that is set, and not to Celery's own default."""
    from config.celery import app

    app.set_default()
