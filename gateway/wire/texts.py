"""Every text of a request and of an answer, with whom it is from and where it stands; and the same with some changed.

What is not known to be no text is one: fields of any name, names of fields that the client has chosen, and numbers as
long as an identifier. Left out are what the gateway itself decides by or puts something else in place of, words of the
protocol where it has them, and what is no text at all in the very place for it: see `opaque.py`. Pure.

Places are paths, as `messages[2].content[0].text`; a name of a field is `metadata#0`, the first of `metadata`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gateway.guards.base import Role, Text
from gateway.wire import escapes
from gateway.wire.chunks import is_mark
from gateway.wire.opaque import inner_name, is_in_place, is_opaque
from gateway.wire.vocabulary import FIELDS, NAMES, NOT_SENT, OF_ANSWERS, WORD_FIELDS, WORDS

T = TypeVar("T")
Visit = Callable[[str, str, Role], str]
"""Gets a text, its place and its role; returns what is to stand there."""

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}

JSON_TEXTS = frozenset({"arguments"})
"""Texts that are JSON themselves."""

_LEAST_DIGITS = 8
_DIGITS_OF_A_CARD = range(13, 20)


def of_request(payload: Mapping[str, Any]) -> list[Text]:
    """All texts of a validated body of a chat completion."""
    found = _of_usual(payload)
    return _collected(_request, payload) if found is None else found


def _of_usual(payload: Mapping[str, Any]) -> list[Text] | None:
    """The same, at one go, of a body in which nothing stands but settings that are numbers or switches, and messages
    that say one thing each; None of any other."""
    found: list[Text] = []
    for name, value in payload.items():
        if name == "messages":
            for number, message in enumerate(value):
                role, content = _ROLES.get(message["role"]), message.get("content")
                if role is None or len(message) != 2 or not isinstance(content, str):
                    return None
                if content:
                    found.append(Text(content, role, f"messages[{number}].content"))
        elif name not in NOT_SENT and (name not in FIELDS or not isinstance(value, int | float) or _digits(value)):
            return None
    return found


def request_with(payload: Mapping[str, Any], changed: Mapping[str, str]) -> dict[str, Any]:
    """The body with other texts at the places that `changed` names. What is not changed is shared with `payload`."""
    return dict(_request(payload, _changing(changed)))


def of_answer(answer: Mapping[str, Any]) -> list[Text]:
    """All texts of a whole answer."""
    return _collected(_answer, answer)


def answer_with(answer: Mapping[str, Any], changed: Mapping[str, str]) -> dict[str, Any]:
    """The answer with other texts at the places that `changed` names."""
    return dict(_answer(answer, _changing(changed)))


def without_logprobs(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer without the tokens that its texts once had."""
    choices = answer.get("choices")
    if not isinstance(choices, list):
        return dict(answer)
    return {
        **answer,
        "choices": [
            {**choice, "logprobs": None} if isinstance(choice, dict) and choice.get("logprobs") else choice
            for choice in choices
        ],
    }


def is_json(place: str) -> bool:
    """Whether the text there is JSON itself."""
    return place.rpartition(".")[2] in JSON_TEXTS


def is_chosen(name: str) -> bool:
    """Whether the name of a field was chosen by somebody: not one that all know, nor a short number."""
    return name not in NAMES and not (name.isdecimal() and len(name) < _LEAST_DIGITS)


def is_no_text(name: str, text: str) -> bool:
    """Whether it is nothing to look at in a field of that name, as `inner_name` gives it, of a streamed answer. There
    it is the upstream that names fields; in requests anybody does, so that it must stand in its place, too."""
    return _says_nothing(name, text) or (name != "data" and is_opaque(name, text))


def _says_nothing(name: str, text: str) -> bool:
    return not text or (name in WORD_FIELDS and text in WORDS)


# --- the walk: the same for reading and for changing ------------------------------------------------------------------


def _collected(walk: Callable[[Mapping[str, Any], Visit], Any], value: Mapping[str, Any]) -> list[Text]:
    found: list[Text] = []

    def visit(text: str, place: str, role: Role) -> str:
        found.append(Text(text, role, place))
        return text

    walk(value, visit)
    return found


def _changing(changed: Mapping[str, str]) -> Visit:
    return lambda text, place, role: changed.get(place, text)


def _request(payload: Mapping[str, Any], visit: Visit) -> Mapping[str, Any]:
    walk = _Walk(visit, is_answer=False)
    found: dict[str, Any] = {}
    for number, (name, value) in enumerate(payload.items()):
        if name == "messages":
            found[name] = [_message(walk, message, f"messages[{n}]") for n, message in enumerate(value)]
        elif name in NOT_SENT:
            found[name] = value
        elif name in FIELDS and isinstance(value, int | float):
            found[name] = walk.setting(value, name)
        else:
            role = Role.METADATA if name == "metadata" else Role.DEFINITION
            new_name = name if name in FIELDS else visit(name, f"#{number}", role)
            found[new_name] = walk.through(value, name, _inside("", name, number), role)
    return found


def _message(walk: "_Walk", message: Any, place: str) -> Any:
    role = _ROLES.get(message["role"])
    content = message.get("content")
    if role is not None and len(message) == 2 and isinstance(content, str):
        return walk.content(message, content, place, role)
    return walk.through(message, "", place, role or Role.USER)


def _answer(answer: Mapping[str, Any], visit: Visit) -> Mapping[str, Any]:
    walk = _Walk(visit, is_answer=True)
    found = {name: value for name, value in answer.items() if name not in OF_ANSWERS or not is_mark(value)}
    new = walk.through(found, "", "", Role.ASSISTANT)
    fields = dict(zip(found, new.items(), strict=True))
    return dict(fields.get(name, (name, value)) for name, value in answer.items())


class _Walk:
    """Goes through a JSON value; makes a new one only where `visit` has changed something.

    Of answers it leaves out numbers, which are the upstream's, and log probabilities, whose tokens repeat a text: see
    `without_logprobs`.
    """

    def __init__(self, visit: Visit, *, is_answer: bool) -> None:
        self._visit = visit
        self._is_answer = is_answer

    def through(self, value: Any, name: str, place: str, role: Role) -> Any:
        """`name`: of the field in which the value stands, or of the one that the array of it stands in."""
        if isinstance(value, str):
            return self._text(value, name, place, role)
        if isinstance(value, dict):
            return self._object(value, name, place, role)
        if isinstance(value, list):
            return self._array(value, name, place, role)
        if isinstance(value, int | float) and not self._is_answer:
            return self._number(value, place, role)
        return value

    def content(self, message: dict[str, Any], content: str, place: str, role: Role) -> dict[str, Any]:
        """What `through` gives of a message that has a role that all know, and its content, and nothing else."""
        new = self._visit(content, place + ".content", role) if content else content
        return message if new is content else {**message, "content": new}

    def setting(self, value: int | float, name: str) -> int | float | None:
        """A setting of the request that is a number: without a value where it is one that must not go out."""
        new = self._number(value, name, Role.DEFINITION)
        return None if isinstance(new, str) else new

    def _array(self, value: list[Any], name: str, place: str, role: Role) -> list[Any]:
        digits = "" if self._is_answer else _in_groups(value)
        if digits and (new := self._visit(digits, f"{place}[#]", role)) != digits:
            return [new]
        found = [self.through(item, name, f"{place}[{n}]", role) for n, item in enumerate(value)]
        return found if any(new is not old for new, old in zip(found, value, strict=True)) else value

    def _text(self, text: str, name: str, place: str, role: Role) -> str:
        if _says_nothing(name, text) or (
            is_opaque(name, text) and is_in_place(name, place, is_model=role == Role.ASSISTANT)
        ):
            return text
        if name not in JSON_TEXTS:
            return self._visit(text, place, role)
        meant = escapes.read(text)
        new = self._visit(meant, place, role)
        return escapes.written(new) if new != meant else text

    def _number(self, number: int | float, place: str, role: Role) -> int | float | str:
        text = _digits(number)
        if not text:
            return number
        new = self._visit(text, place, role)
        return new if new != text else number

    def _is_nothing(self, name: str, value: Any) -> bool:
        """Whether no text is in it, whatever it says."""
        if value is None or isinstance(value, bool):
            return True
        return self._is_answer and (name == "logprobs" or isinstance(value, int | float))

    def _object(self, value: dict[str, Any], outer: str, place: str, role: Role) -> dict[str, Any]:
        found: dict[str, Any] = {}
        is_changed = False
        for number, (name, inner) in enumerate(value.items()):
            new_name = name
            if is_chosen(name):
                new_name = self._visit(name, f"{place}#{number}", role)
            new = inner
            if not self._is_nothing(name, inner):
                new = self.through(inner, inner_name(name, outer), _inside(place, name, number), role)
            is_changed |= new is not inner or new_name != name
            while new_name in found:
                new_name += "_"
            found[new_name] = new
        return found if is_changed else value


def _inside(place: str, name: str, number: int) -> str:
    """The place of a field; one whose name would make it ambiguous goes by its number."""
    if not name.replace("_", "").isalnum():
        return f"{place}[#{number}]"
    return f"{place}.{name}" if place else name


def _digits(number: int | float) -> str:
    """Those of a number that has as many as an identifier: of one with a fraction, those before it and all."""
    if isinstance(number, bool):
        return ""
    if number == number // 1:
        return str(abs(int(number))) if abs(number) >= 10 ** (_LEAST_DIGITS - 1) else ""
    whole, _, fraction = repr(abs(number)).partition("e")[0].partition(".")
    parts = dict.fromkeys((whole, (whole + fraction).lstrip("0")))
    return " | ".join(part for part in parts if len(part) >= _LEAST_DIGITS)


def _in_groups(values: list[Any]) -> str:
    """The digits of an array that is a number in groups, as those of cards are written."""
    if not 1 < len(values) <= _DIGITS_OF_A_CARD[-1] or not all(type(value) is int and value >= 0 for value in values):
        return ""
    groups = [str(value) for value in values]
    lengths = {min(len(group), 2) for group in groups}
    digits = "".join(groups)
    return digits if len(lengths) == 1 and len(digits) in _DIGITS_OF_A_CARD else ""
