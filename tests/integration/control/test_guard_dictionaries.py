"""Dictionaries of tenants: uploaded, compiled, changed word by word, sealed; and patterns, checked when saved."""

import pytest
from django.core.exceptions import ValidationError

from compliance.errors import ActionRefused, DecryptionFailed
from compliance.models import AuditEvent, JobRun
from gateway import dictionaries
from gateway.actions import guard_dictionaries
from gateway.dictionary_files import LINE_MOST, NotAList, entries_in
from gateway.guards import dictionaries as tries
from gateway.models import GuardDictionary, GuardDictionaryContent
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.guards import a_guard_dictionary, a_guard_pattern

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def words_of(dictionary: GuardDictionary) -> list[str]:
    [found] = dictionaries.word_lists([GuardDictionary.objects.get(pk=dictionary.pk)])
    return sorted(tries.entries_of(found.compiled))


def events_of(dictionary: GuardDictionary) -> list[str]:
    found = AuditEvent.objects.filter(target_kind="guarddictionary", target_id=str(dictionary.pk)).order_by("id")
    return [event.action.partition(".")[2] for event in found]


def a_long_file() -> bytes:
    """More than is compiled at once."""
    return "\n".join(f"project {number:07}" for number in range(20_000)).encode()


def test_it_works() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("Aurora", "Project Borealis"))
    dictionary.refresh_from_db()
    assert (dictionary.entries, dictionary.version, dictionary.waits) == (2, 1, False)
    assert words_of(dictionary) == ["aurora", "project borealis"]
    assert events_of(dictionary) == ["created", "filled"]


def test_the_words_stand_nowhere_in_clear() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    content = GuardDictionaryContent.objects.get(dictionary=dictionary)
    assert b"aurora" not in bytes(content.sealed)
    assert b"aurora" not in bytes(content.data_key)
    assert "aurora" not in str(list(AuditEvent.objects.values_list("before", "after")))


def test_words_of_one_dictionary_do_not_open_as_those_of_another() -> None:
    one, other = (a_guard_dictionary(a_tenant(), words=(word,)) for word in ("aurora", "borealis"))
    sealed = GuardDictionaryContent.objects.get(dictionary=one)
    GuardDictionaryContent.objects.filter(dictionary=other).update(sealed=sealed.sealed, data_key=sealed.data_key)
    with pytest.raises(DecryptionFailed):
        dictionaries.opened(GuardDictionaryContent.objects.get(dictionary=other))


def test_an_upload_replaces_all_words() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    guard_dictionaries.upload(dictionary=dictionary, data=b"borealis\n", is_csv=False, by=THE_SYSTEM)
    assert words_of(dictionary) == ["borealis"]


def test_a_long_upload_is_compiled_by_a_job() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    guard_dictionaries.upload(dictionary=dictionary, data=a_long_file(), is_csv=False, by=THE_SYSTEM)
    dictionary.refresh_from_db()
    assert dictionary.waits
    assert words_of(dictionary) == ["aurora"]  # until it is compiled
    assert guard_dictionaries.compile_waiting(by=THE_SYSTEM) == 1
    dictionary.refresh_from_db()
    assert (dictionary.waits, dictionary.entries) == (False, 20_000)
    assert "project 0000007" in words_of(dictionary)
    job = JobRun.objects.get(kind=guard_dictionaries.KIND, key=str(dictionary.pk))
    assert (job.state, job.done, job.result) == ("done", job.total, {"entries": 20_000})
    assert guard_dictionaries.compile_waiting(by=THE_SYSTEM) == 0
    assert events_of(dictionary) == ["created", "filled", "uploaded", "filled"]


def test_a_long_upload_with_a_mistake_says_what_is_wrong() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    data = a_long_file() + b"\n" + b"x" * 200
    guard_dictionaries.upload(dictionary=dictionary, data=data, is_csv=False, by=THE_SYSTEM)
    assert guard_dictionaries.compile_waiting(by=THE_SYSTEM) == 0
    dictionary.refresh_from_db()
    assert "Entry 20001" in dictionary.problem
    assert not dictionary.waits
    assert words_of(dictionary) == ["aurora"]
    assert JobRun.objects.get(key=str(dictionary.pk)).state == "failed"
    assert not GuardDictionaryContent.objects.get(dictionary=dictionary).upload


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a" * 61, "61 characters"),
        (b"caf\xe9", "no UTF-8"),
        (b"x" * (LINE_MOST + 1), "more than 1,000"),
        (b"PK\3\4aa\0", "no text at byte 6"),
    ],
    ids=["too long", "latin-1", "no lines", "spreadsheet"],
)
def test_a_short_upload_with_a_mistake_is_refused(data: bytes, message: str) -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    with pytest.raises(ValidationError, match=message):
        guard_dictionaries.upload(dictionary=dictionary, data=data, is_csv=False, by=THE_SYSTEM)
    assert words_of(dictionary) == ["aurora"]


def test_words_come_and_go() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora", "borealis"))
    guard_dictionaries.change_words(dictionary=dictionary, add=["Corona"], remove=["AURORA"], by=THE_SYSTEM)
    assert words_of(dictionary) == ["borealis", "corona"]


def test_words_do_not_change_while_an_upload_waits() -> None:
    dictionary = a_guard_dictionary(a_tenant())
    guard_dictionaries.upload(dictionary=dictionary, data=a_long_file(), is_csv=False, by=THE_SYSTEM)
    with pytest.raises(ActionRefused, match="being compiled"):
        guard_dictionaries.change_words(dictionary=dictionary, add=["corona"], by=THE_SYSTEM)


def test_a_wrong_word_is_refused() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    with pytest.raises(ValidationError, match="too short"):
        guard_dictionaries.change_words(dictionary=dictionary, add=["x"], by=THE_SYSTEM)
    assert words_of(dictionary) == ["aurora"]


def test_what_changes_how_it_matches_makes_a_new_version() -> None:
    dictionary = a_guard_dictionary(a_tenant(), words=("aurora",))
    dictionary = GuardDictionary.objects.get(pk=dictionary.pk)
    dictionary.prefixes = True
    guard_dictionaries.change(dictionary=dictionary, by=THE_SYSTEM)
    [found] = dictionaries.word_lists([GuardDictionary.objects.get(pk=dictionary.pk)])
    assert (found.version, found.prefixes) == (2, True)
    guard_dictionaries.change(dictionary=GuardDictionary.objects.get(pk=dictionary.pk), by=THE_SYSTEM)
    assert events_of(dictionary) == ["created", "filled", "changed"]


def test_the_words_of_a_tenant_that_leaves_go() -> None:
    one, other = a_guard_dictionary(a_tenant(), words=("aurora",)), a_guard_dictionary(a_tenant("umbrella"))
    assert guard_dictionaries.delete_of_tenant(tenant_id=one.tenant_id, by=THE_SYSTEM) == 1
    assert list(GuardDictionaryContent.objects.values_list("dictionary_id", flat=True)) == [other.pk]


@pytest.mark.parametrize(
    ("text", "is_csv", "entries"),
    [
        ("\ufeffaurora\r\nborealis", False, ["aurora", "borealis"]),
        ("aurora,1\nborealis,2\n", True, ["aurora", "borealis"]),
        ('"aurora, the first";x\nborealis;y', True, ["aurora, the first", "borealis"]),
        ("a, b\n", False, ["a, b"]),
        ("", True, []),
    ],
    ids=["text", "commas", "semicolons", "commas in text", "nothing"],
)
def test_what_a_file_holds(text: str, is_csv: bool, entries: list[str]) -> None:
    assert list(entries_in(text.encode(), is_csv=is_csv)) == entries


def test_it_tells_how_far_it_is_and_cuts_no_character() -> None:
    told: list[int] = []
    data = ("é" * 30 + "\n").encode() * 40_000
    entries = list(entries_in(data, is_csv=False, progress=told.append))
    assert (len(entries), set(entries)) == (40_000, {"é" * 30})
    assert told[-1] == len(data)
    assert len(told) == 3


def test_an_unfinished_character_is_a_mistake() -> None:
    with pytest.raises(NotAList, match="no UTF-8"):
        list(entries_in("é".encode()[:1], is_csv=False))


@pytest.mark.parametrize(
    ("name", "expression", "message"),
    [
        ("EMPLOYEE", r"EMP-\d+", "upper bound"),
        ("EMPLOYEE", r"\d{0,5}", "matches where there is nothing"),
        ("EMPLOYEE", r"(a)\1", "refers back"),
        ("EMPLOYEE", r"(?=a)a", "looks around"),
        ("EMPLOYEE", "(", "not an expression"),
        ("no name", r"\d{5}", "letters, digits and _"),
    ],
    ids=["unbounded", "empty", "backreference", "look-ahead", "broken", "name"],
)
def test_a_pattern_that_cannot_be_matched_is_refused(name: str, expression: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        a_guard_pattern(a_tenant(), name=name, expression=expression)


def test_a_pattern_is_kept() -> None:
    pattern = a_guard_pattern(a_tenant(), expression=r"\bEMP-\d{5}\b")
    assert AuditEvent.objects.filter(action="guardpattern.created", target_id=str(pattern.pk)).exists()
