"""Searches by whole request ids: only those have indexes."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet


def by_request(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """The rows of one request; all where nothing is searched, none where it is no request's id."""
    term = term.strip()
    if not term:
        return rows
    try:
        return rows.filter(request_id=UUID(term.removeprefix("req_")))
    except ValueError:
        return rows.none()
