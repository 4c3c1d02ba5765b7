"""The dictionaries and patterns of the tenant whose key calls."""

from typing import Any

from django.db import models
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api import params, shapes
from compliance.api.access import ApplicationView, caller_of
from compliance.api.problems import InvalidParameter
from gateway.actions import guard_dictionaries, guard_patterns
from gateway.api import guard_shapes
from gateway.dictionary_files import MOST_BYTES
from gateway.models import GuardDictionary, GuardPattern

TAG = "guards"
CHANGED = {**shapes.NONSENSE, **shapes.NOT_FOUND, **shapes.NOT_NOW}


class TextFile(BaseParser):
    """A list of words, an entry a line."""

    media_type = "text/plain"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, bytes]:
        data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise InvalidParameter("body", f"A file has at most {MOST_BYTES // 2**20} MB.")
        return {"file": data}


class CsvFile(TextFile):
    """A list of words, in the first column of CSV."""

    media_type = "text/csv"


class Dictionaries(ApplicationView):
    """The tenant's dictionaries."""

    scope = "guards"

    @extend_schema(
        **shapes.described("listGuardDictionaries", TAG, guard_shapes.DictionaryPage, refusals=shapes.NONSENSE)
    )
    def get(self, request: Request) -> Response:
        params.known_only(request, ())
        rows = GuardDictionary.objects.filter(tenant=caller_of(request).tenant_id).order_by("name")
        return Response({"dictionaries": [guard_shapes.dictionary(row) for row in rows]})

    @extend_schema(
        **shapes.described(
            "addGuardDictionary",
            TAG,
            guard_shapes.DictionaryOut,
            status=201,
            request=guard_shapes.DictionaryIn,
            refusals={**shapes.NONSENSE, **shapes.NOT_NOW},
            description="Adds a dictionary, without words yet.",
        )
    )
    def post(self, request: Request) -> Response:
        values, caller = _valid(guard_shapes.DictionaryIn, request), caller_of(request)
        row = GuardDictionary(tenant_id=caller.tenant_id, **values)
        return Response(guard_shapes.dictionary(guard_dictionaries.add(dictionary=row, by=caller.actor)), status=201)


class OneDictionary(ApplicationView):
    """One dictionary."""

    scope = "guards"

    @extend_schema(
        **shapes.described("readGuardDictionary", TAG, guard_shapes.DictionaryOut, refusals=shapes.NOT_FOUND)
    )
    def get(self, request: Request, dictionary_id: int) -> Response:
        return Response(guard_shapes.dictionary(_found(GuardDictionary, request, dictionary_id)))

    @extend_schema(
        **shapes.described(
            "changeGuardDictionary",
            TAG,
            guard_shapes.DictionaryOut,
            request=guard_shapes.DictionaryIn,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND},
            description="Changes everything but the words.",
        )
    )
    def put(self, request: Request, dictionary_id: int) -> Response:
        row = _found(GuardDictionary, request, dictionary_id)
        for name, value in _valid(guard_shapes.DictionaryIn, request).items():
            setattr(row, name, value)
        return Response(guard_shapes.dictionary(guard_dictionaries.change(dictionary=row, by=caller_of(request).actor)))

    @extend_schema(**shapes.described("deleteGuardDictionary", TAG, None, status=204, refusals=shapes.NOT_FOUND))
    def delete(self, request: Request, dictionary_id: int) -> Response:
        row = _found(GuardDictionary, request, dictionary_id)
        guard_dictionaries.remove(dictionary=row, by=caller_of(request).actor)
        return Response(status=204)


class DictionaryEntries(ApplicationView):
    """All words of a dictionary, as a file."""

    scope = "guards"
    parser_classes = [TextFile, CsvFile]

    @extend_schema(
        **shapes.described(
            "uploadGuardDictionary",
            TAG,
            guard_shapes.DictionaryOut,
            request={"text/plain": OpenApiTypes.STR, "text/csv": OpenApiTypes.STR},
            refusals={**CHANGED, 415: "Send the words as text/plain or text/csv."},
            description="Puts the words of a file (UTF-8; an entry a line, or the first column of CSV) in place of all "
            "that are there. A long one is compiled by a job: `compiling` says so; until that is done the words of "
            "before hold.",
        )
    )
    def put(self, request: Request, dictionary_id: int) -> Response:
        row = _found(GuardDictionary, request, dictionary_id)
        is_csv = str(request.content_type).startswith(CsvFile.media_type)
        data = dict(request.data).get("file", b"")
        found = guard_dictionaries.upload(dictionary=row, data=data, is_csv=is_csv, by=caller_of(request).actor)
        return Response(guard_shapes.dictionary(found))


class DictionaryWords(ApplicationView):
    """Some words of a dictionary."""

    scope = "guards"

    @extend_schema(
        **shapes.described(
            "changeGuardDictionaryWords",
            TAG,
            guard_shapes.DictionaryOut,
            request=guard_shapes.WordsIn,
            refusals={**CHANGED, 409: "`conflict`: an upload is being compiled."},
            description="Adds some words and takes some out; the others stay.",
        )
    )
    def post(self, request: Request, dictionary_id: int) -> Response:
        row, values = _found(GuardDictionary, request, dictionary_id), _valid(guard_shapes.WordsIn, request)
        found = guard_dictionaries.change_words(dictionary=row, by=caller_of(request).actor, **values)
        return Response(guard_shapes.dictionary(found))


class Patterns(ApplicationView):
    """The tenant's expressions."""

    scope = "guards"

    @extend_schema(**shapes.described("listGuardPatterns", TAG, guard_shapes.PatternPage, refusals=shapes.NONSENSE))
    def get(self, request: Request) -> Response:
        params.known_only(request, ())
        rows = GuardPattern.objects.filter(tenant=caller_of(request).tenant_id).order_by("name")
        return Response({"patterns": [guard_shapes.pattern(row) for row in rows]})

    @extend_schema(
        **shapes.described(
            "addGuardPattern",
            TAG,
            guard_shapes.PatternOut,
            status=201,
            request=guard_shapes.PatternIn,
            refusals=shapes.NONSENSE,
            description="Adds an expression. It must take linear time and match at most 64 characters.",
        )
    )
    def post(self, request: Request) -> Response:
        values, caller = _valid(guard_shapes.PatternIn, request), caller_of(request)
        row = guard_patterns.add(pattern=GuardPattern(tenant_id=caller.tenant_id, **values), by=caller.actor)
        return Response(guard_shapes.pattern(row), status=201)


class OnePattern(ApplicationView):
    """One expression."""

    scope = "guards"

    @extend_schema(
        **shapes.described(
            "changeGuardPattern",
            TAG,
            guard_shapes.PatternOut,
            request=guard_shapes.PatternIn,
            refusals={**shapes.NONSENSE, **shapes.NOT_FOUND},
        )
    )
    def put(self, request: Request, pattern_id: int) -> Response:
        row = _found(GuardPattern, request, pattern_id)
        for name, value in _valid(guard_shapes.PatternIn, request).items():
            setattr(row, name, value)
        return Response(guard_shapes.pattern(guard_patterns.change(pattern=row, by=caller_of(request).actor)))

    @extend_schema(**shapes.described("deleteGuardPattern", TAG, None, status=204, refusals=shapes.NOT_FOUND))
    def delete(self, request: Request, pattern_id: int) -> Response:
        guard_patterns.remove(pattern=_found(GuardPattern, request, pattern_id), by=caller_of(request).actor)
        return Response(status=204)


def _valid(shape: Any, request: Request) -> dict[str, Any]:
    sent = shape(data=request.data)
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)


def _found(kind: type[models.Model], request: Request, number: int) -> Any:
    found = kind._default_manager.filter(tenant=caller_of(request).tenant_id, pk=number).first()
    if found is None:
        raise NotFound(f"There is no such {kind._meta.verbose_name}.")
    return found
