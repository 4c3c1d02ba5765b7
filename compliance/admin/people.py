"""Links to people's pages, for rows that know a person by the surrogate only."""

from collections.abc import Collection, Mapping

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from compliance.admin.links import link
from compliance.models import Subject


def links_of(surrogates: Collection[str]) -> Mapping[str, SafeString]:
    """A link by surrogate, in one query for all; a surrogate that is nobody's stays plain text."""
    found = Subject.objects.filter(surrogate__in=surrogates).values_list("surrogate", "pk")
    links = {
        surrogate: link(reverse("admin:compliance_subject_change", args=(pk,)), surrogate) for surrogate, pk in found
    }
    return {surrogate: links.get(surrogate) or format_html("{}", surrogate) for surrogate in surrogates}
