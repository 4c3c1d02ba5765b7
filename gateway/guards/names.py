"""The guard `names`: persons, places and groups in texts, which have no form and need a model (Presidio).

Optional, with the extra `presidio` and a model of spaCy beside it. A model reads sentences, not characters: what it
finds depends on all that stands around it, so it judges whole texts, and nothing is cut out of a stream by it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from gateway.guards.base import Action, Finding, Guard, Judged, Kind, Setting

NAME = "names"
ENTITIES = ("PERSON", "LOCATION", "NRP", "ORGANIZATION", "DATE_TIME")
_USUAL = ("PERSON", "LOCATION")
_TEXT_MOST = 20_000  # characters that are read of a text: a model takes about 5 ms per 1,000

MISSING = (
    "Presidio is not installed. Install the extra, pip install 'portcullis[presidio]', and a model, "
    "python -m spacy download en_core_web_sm."
)


class NotInstalled(RuntimeError):
    """What the guard needs is not there; the text says how to get it."""


class TooLong(ValueError):
    """A text is longer than a model reads in time."""


def judge(judged: Judged) -> Sequence[Finding]:
    """One finding for each entity of each text.

    Raises:
        NotInstalled: if Presidio or the model is missing; then policy's `on_error` decides.
        TooLong: if a text has more than 20,000 characters; likewise.
    """
    settings = judged.settings
    analyzer = analyzer_of(settings.get("language", "en"), settings.get("model", ""))
    entities = list(settings.get("entities") or _USUAL)
    found = []
    for each in judged.texts:
        if len(each.text) > _TEXT_MOST:
            raise TooLong(f"{len(each.text)} characters")
        for one in analyzer.analyze(text=each.text, language=settings.get("language", "en"), entities=entities):
            found.append(Finding(NAME, one.entity_type, one.start, one.end, one.score, each.place))
    return found


@lru_cache(4)
def analyzer_of(language: str, model: str) -> Any:
    """Presidio with a model of spaCy. Takes seconds and hundreds of megabytes when first asked for.

    Raises:
        NotInstalled
    """
    check_model(model)
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=[language])


def check_model(model: str) -> None:
    """Whether it can be used here; nothing is downloaded.

    Raises:
        NotInstalled
    """
    if find_spec("presidio_analyzer") is None:
        raise NotInstalled(MISSING)
    if not model:
        raise NotInstalled("Set its model, one of spaCy that is installed here, as en_core_web_sm.")
    if not model.isidentifier() or find_spec(model) is None:
        raise NotInstalled(f"The model {model[:60]} is not installed: python -m spacy download {model[:60]}.")


def _check_setting(model: str) -> None:
    try:
        check_model(model)
    except NotInstalled as error:
        raise ValueError(str(error)) from error


def _check_needs(settings: Mapping[str, Any]) -> None:
    _check_setting(settings.get("model", ""))


GUARD = Guard(
    name=NAME,
    title="Names",
    help="Persons and places, by a model (Presidio, an extra). Noted, flagged or blocked; it cannot redact.",
    actions=(Action.OFF, Action.LOG, Action.FLAG, Action.BLOCK),
    judge=judge,
    rule_names=ENTITIES,
    kinds="entities",
    needs=_check_needs,
    settings=(
        Setting(
            name="model",
            title="Model",
            help="Of spaCy, as en_core_web_sm; it must be installed.",
            most=100,
            check=_check_setting,
        ),
        Setting(name="language", title="Language", help="As in ISO 639-1.", default="en", most=2),
        Setting(
            name="entities",
            title="Entities",
            help="None chosen: persons and places.",
            kind=Kind.CHOICES,
            choices=ENTITIES,
        ),
    ),
)
