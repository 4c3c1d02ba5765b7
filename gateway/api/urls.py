"""The paths of guards for applications, below `/api/`."""

from django.urls import path

from gateway.api.guard_policies import GuardPolicies, Guards, OneGuardPolicy, TryGuardPolicy
from gateway.api.guard_words import (
    Dictionaries,
    DictionaryEntries,
    DictionaryWords,
    OneDictionary,
    OnePattern,
    Patterns,
)

app_name = "guards"
urlpatterns = [
    path("guards", Guards.as_view(), name="guards"),
    path("guard-policies", GuardPolicies.as_view(), name="policies"),
    path("guard-policies/<int:policy_id>", OneGuardPolicy.as_view(), name="policy"),
    path("guard-policies/<int:policy_id>/try", TryGuardPolicy.as_view(), name="try"),
    path("guard-dictionaries", Dictionaries.as_view(), name="dictionaries"),
    path("guard-dictionaries/<int:dictionary_id>", OneDictionary.as_view(), name="dictionary"),
    path("guard-dictionaries/<int:dictionary_id>/entries", DictionaryEntries.as_view(), name="entries"),
    path("guard-dictionaries/<int:dictionary_id>/words", DictionaryWords.as_view(), name="words"),
    path("guard-patterns", Patterns.as_view(), name="patterns"),
    path("guard-patterns/<int:pattern_id>", OnePattern.as_view(), name="pattern"),
]
