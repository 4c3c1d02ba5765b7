"""Django's database cache with an atomic `incr`, which django-ratelimit's counters need."""

from typing import Any

from django.core.cache.backends.db import DatabaseCache
from django.db import connections, router, transaction


class PostgresCache(DatabaseCache):
    """One table in the main database; two processes that increment a key at once both count."""

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        """Adds `delta` under a lock on the key's hash.

        Raises:
            ValueError: there is no such key.
        """
        alias = router.db_for_write(self.cache_model_class)
        with transaction.atomic(using=alias):
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [self.make_key(key, version)])
            return int(super().incr(key, delta, version))
