"""What stands for something that was found is not found again, in later turns and in answers."""

import pytest

from gateway.guards.base import Action, Direction, Guarding, Role, Terms
from gateway.guards.engine import Engine
from gateway.guards.placeholders import Placeholders

ENGINE = Engine(
    Guarding(
        policy_id=1,
        terms=tuple(Terms(guard=name, action=Action.REDACT, threshold=0.0) for name in ("secrets", "personal_data")),
    )
)
PLACES = (
    *("{}", "password: {}", 'password="{}"', "my api_key is {}", "token={}", "secret:{}", "pin {}", "call {} now"),
    *("card {}", "IBAN {}", "SSN: {}", "born on {}", "passport no. {}", "wallet {}", "Authorization: Bearer {}"),
    *("https://example.com/?key={}", "curl -u ada:{} https://example.com", "Server=db;Password={};"),
)
KINDS = ("EMAIL", "PHONE", "password", "aws_access_key", "connection_password")


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("place", PLACES)
def test_a_placeholder_is_nothing_to_find(place: str, direction: Direction) -> None:
    for number in range(40):
        known = Placeholders(bytes([number + 1]) * 32)
        for kind in KINDS:
            text = place.format(known.give(kind, "x"))
            assert ENGINE.findings(text, role=Role.ASSISTANT, direction=direction) == []


def test_nor_is_a_password_in_a_connection() -> None:
    text = f"postgres://ada:{Placeholders(b'k' * 32).give('connection_password', 'x')}@db.example.com/orders"
    found = ENGINE.findings(text, role=Role.ASSISTANT, direction=Direction.ANSWER)
    assert "connection_password" not in {each.rule for each in found}
