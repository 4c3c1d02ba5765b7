"""Checks an event against the rules of its class, as `ocsf_rules.json` has them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RULES: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
TYPES = {"string": str, "integer": int, "array": list, "object": dict}
CATEGORIES = {3: "Identity & Access Management", 6: "Application Activity"}


def problems(event: Mapping[str, Any]) -> list[str]:
    """What in an event is against the rules; empty where nothing is."""
    return list(_problems(event))


def _problems(event: Mapping[str, Any]) -> Iterator[str]:
    class_uid: int = event.get("class_uid") or 0
    activity: int = event.get("activity_id") or 0
    rules = RULES["classes"].get(str(class_uid))
    if rules is None:
        yield f"unknown class {class_uid}"
        return
    yield from _missing("event", event, RULES["event"])
    yield from _missing("event", event, rules)
    if activity not in rules["activities"]:
        yield f"{rules['name']} knows no activity {activity}"
    if activity == 99 and not event.get("activity_name"):
        yield "another activity must be named"
    if event.get("type_uid") != class_uid * 100 + activity:
        yield "type_uid does not follow from class and activity"
    if event.get("category_uid") != class_uid // 1000:
        yield "category_uid is not that of the class"
    if (event.get("class_name"), event.get("category_name")) != (rules["name"], CATEGORIES[class_uid // 1000]):
        yield "names are not those of the schema"
    if event["metadata"].get("version") != RULES["version"]:
        yield "another version"
    if ("ai_model" in event) != ("ai_operation" in event["metadata"]["profiles"]):
        yield "ai_model belongs to the profile ai_operation"
    if unknown := event.keys() - {*RULES["event"]["known"], *rules["known"]}:
        yield f"the class has no {sorted(unknown)}"
    if type(event.get("time")) is not int:
        yield "time must be whole milliseconds"
    yield from _objects(event)


def _objects(value: Mapping[str, Any]) -> Iterator[str]:
    for name, inner in value.items():
        if name == "unmapped" or not isinstance(inner, dict):
            continue
        rules = RULES["objects"].get(name)
        if rules is None:
            yield f"no rules for the object {name}"
            continue
        yield from _missing(name, inner, rules)
        for field, each in inner.items():
            kind = rules["types"].get(field)
            if kind is None or type(each) is not TYPES[kind]:
                yield f"{name}.{field} is no {kind}"
        yield from _objects(inner)


def _missing(where: str, value: Mapping[str, Any], rules: Mapping[str, Any]) -> Iterator[str]:
    for name in rules.get("required", ()):
        if value.get(name) in (None, ""):
            yield f"{where} lacks {name}"
    if (choice := rules.get("at_least_one")) and not any(value.get(name) not in (None, "") for name in choice):
        yield f"{where} needs one of {choice}"
    for name, allowed in rules.get("enums", {}).items():
        if name in value and value[name] not in allowed:
            yield f"{where}.{name} cannot be {value[name]}"
