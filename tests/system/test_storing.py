"""What ends storing holds from the next write on, in every process."""

import pytest

from compliance.actions import consents
from compliance.models import ContentDecision, Purpose, Subject, Transcript
from gateway.models import Model
from tests.factories import THE_SYSTEM
from tests.factories.compliance import a_consent, a_content_policy, a_notice, a_subject
from tests.system.clients import Caller, a_caller
from tests.system.conftest import StartGateway
from tests.system.processes import Gateway, Sandbox, eventually

pytestmark = pytest.mark.system

STORE = Purpose.STORE_CONVERSATIONS


@pytest.fixture
def callers(gateway: Gateway, start_gateway: StartGateway, sandbox: Sandbox, model: Model) -> tuple[Caller, Caller]:
    """One application at two gateways."""
    first = a_caller(gateway, model)
    second = a_caller(start_gateway(), model, tenant=first.tenant)
    a_content_policy(first.tenant)
    return first, second


@pytest.fixture
def ada(callers: tuple[Caller, Caller]) -> Subject:
    """A person who agreed, and whom both gateways know."""
    subject = a_subject(callers[0].tenant, "ada")
    a_consent(subject)
    assert [decision(caller) for caller in callers] == ["", ""]
    return subject


def decision(caller: Caller) -> str:
    """Why a new request was not stored; '' if it was."""
    answer = caller.post(caller.body(user="ada"))
    assert answer.status_code == 200
    request_id = answer.headers["x-request-id"]
    decided = eventually(lambda: ContentDecision.objects.filter(request_id=request_id).first(), within_s=20)
    assert decided is not None
    assert decided.stored == Transcript.objects.filter(pk=request_id).exists()
    return decided.reason


def test_after_a_withdrawal_no_process_stores_anything(callers: tuple[Caller, Caller], ada: Subject) -> None:
    consents.withdraw(subject=ada, purpose=STORE, by=THE_SYSTEM)
    assert [decision(caller) for caller in callers] == ["withdrawn", "withdrawn"]
    a_consent(ada)
    assert [decision(caller) for caller in callers] == ["", ""]


def test_a_materially_changed_notice_ends_storing_without_a_deployment(
    callers: tuple[Caller, Caller], ada: Subject
) -> None:
    a_notice(ada.tenant, material_change=False)
    assert [decision(caller) for caller in callers] == ["", ""]
    a_notice(ada.tenant, material_change=True)
    assert [decision(caller) for caller in callers] == ["notice_changed", "notice_changed"]
    a_consent(ada, state="reaffirmed")
    assert [decision(caller) for caller in callers] == ["", ""]
