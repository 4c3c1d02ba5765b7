"""Links between pages of the admin."""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.html import format_html, format_html_join, strip_tags
from django.utils.http import urlencode
from django.utils.safestring import SafeString


def list_url(table: str, **filters: str | int) -> str:
    """The address of a list, e.g. of `accounts_apikey`, filtered."""
    url = reverse(f"admin:{table}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def add_url(table: str, **initial: str | int) -> str:
    """The address of a form that adds a row, with fields filled in."""
    return f"{reverse(f'admin:{table}_add')}?{urlencode(initial)}"


def link(url: str, text: object) -> SafeString:
    return format_html('<a href="{}" class="pcl-link">{}</a>', url, text)


def clipped(text: object, *, url: str = "") -> SafeString:
    """A text of one line in a list, cut off where it is long; the whole of it shows on hovering."""
    whole = strip_tags(str(text))
    if url:
        return format_html('<a href="{}" class="pcl-link pcl-clip" title="{}">{}</a>', url, whole, text)
    return format_html('<span class="pcl-clip" title="{}">{}</span>', whole, text)


def row_of_links(links: Iterable[tuple[str, str]]) -> SafeString:
    """Several links, (address, text) each, in one line."""
    items = format_html_join("", '<a href="{}" class="pcl-chip">{}</a>', links)
    return format_html('<span class="pcl-chips">{}</span>', items)
