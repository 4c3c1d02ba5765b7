"""Pages over tables too long to be counted."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property


class LimitedPaginator(Paginator[Any]):
    """Counts, and turns pages, up to a limit; whoever wants a row behind it narrows the search."""

    limit = 5_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.limit].count())

    @property
    def is_limited(self) -> bool:
        return self.count >= self.limit
