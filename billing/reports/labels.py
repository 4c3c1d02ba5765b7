"""What keys of a report are called, fetched in bulk."""

from collections.abc import Collection

from accounts.models import ApiKey, Application, Tenant
from billing.reports.shapes import OTHERS, Dimension, Query

_WORDS = {Dimension.API_KEY: "API key", Dimension.END_USER: "end user"}


def of(keys: Collection[str], query: Query) -> dict[str, str]:
    """The label of each key. A row that is gone keeps its number."""
    names = _names({int(key) for key in keys if key.isdecimal()}, query) if query.by in _NAMED else {}
    return {key: names.get(key) or _plain(key, query.by) for key in keys}


def _plain(key: str, by: Dimension) -> str:
    word = _WORDS.get(by, str(by))
    if key == OTHERS:
        return f"other {word}s, uncounted"
    if not key:
        return f"without {'an' if word[0] in 'aeiouA' else 'a'} {word}"
    return f"{word} {key}" if by in _NAMED else key


def _tenants(keys: set[int], query: Query) -> dict[str, str]:
    return {str(pk): name for pk, name in Tenant.objects.filter(pk__in=keys).values_list("pk", "name")}


def _applications(keys: set[int], query: Query) -> dict[str, str]:
    rows = Application.objects.filter(pk__in=keys).select_related("tenant")
    return {str(row.pk): row.name if query.tenant_id else f"{row.tenant.name}: {row.name}" for row in rows}


def _api_keys(keys: set[int], query: Query) -> dict[str, str]:
    rows = ApiKey.objects.filter(pk__in=keys).select_related("tenant")
    titles = {row.pk: f"{row.name} (…{row.last_four})" for row in rows}
    return {str(row.pk): titles[row.pk] if query.tenant_id else f"{row.tenant.name}: {titles[row.pk]}" for row in rows}


_NAMED = {Dimension.TENANT: _tenants, Dimension.APPLICATION: _applications, Dimension.API_KEY: _api_keys}


def _names(keys: set[int], query: Query) -> dict[str, str]:
    return _NAMED[query.by](keys, query)
