"""The pages of backups and drills: ages and sizes, what failed and why, and the button that asks for one."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance.actions import backups
from compliance.admin import backups_chart
from compliance.models import AuditEvent, BackupRun, JobRun, RestoreDrill
from tests.factories.backups import a_backup_run, a_drill
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LIST, DRILLS = "admin:compliance_backuprun_changelist", "admin:compliance_restoredrill_changelist"


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that workers were given."""
    tasks: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, *args, **kwargs: tasks.append(name))
    return tasks


def page(browser: Client, name: str, *args: Any) -> str:
    return browser.get(reverse(name, args=args)).content.decode()


def test_it_works(browser: Client) -> None:
    a_backup_run("data", age=timedelta(hours=5))
    text = page(browser, LIST)
    assert "5 hours" in text
    assert "3.9 MiB" in text
    assert "None yet: nothing could be brought back" in text  # of the keys


def test_a_failed_one_says_why_on_its_page(browser: Client) -> None:
    run = a_backup_run(state=BackupRun.State.FAILED, error="/backups/data: No space left on device.", manifest=None)
    text = page(browser, "admin:compliance_backuprun_change", run.pk)
    assert "No space left on device" in text


def test_its_manifest_can_be_taken_along(browser: Client) -> None:
    run = a_backup_run()
    answer = browser.get(reverse("admin:compliance_backuprun_manifest", args=(run.pk,)))
    assert answer.json()["kind"] == "backup_manifest"
    assert run.label in answer["Content-Disposition"]


def test_the_chart_of_drills_has_a_legend_and_tells_those_of_a_day_apart(browser: Client) -> None:
    drills = [a_drill(rto_s=None, state=RestoreDrill.State.FAILED) for _ in range(2)]
    day = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for minutes, drill in enumerate(drills):
        drill.started_at, drill.finished_at = day + timedelta(minutes=minutes), day + timedelta(minutes=minutes)
    chart = backups_chart.draw(drills)
    assert chart is not None
    assert [bar["label"] for bar in chart["bars"]] == [f"{day:%-d %b}", "12:01"]
    assert (chart["top"], chart["half"]) == ("2 s", "1 s")
    assert '<span class="pcl-second">Failed</span>' in page(browser, DRILLS)


def test_a_drill_shows_its_checks_and_the_chart_how_long_they_took(browser: Client) -> None:
    a_drill(age=timedelta(days=8), rto_s=82)
    drill = a_drill(state=RestoreDrill.State.FAILED, problem="default.dump: a byte was altered.", rto_s=None)
    text = page(browser, DRILLS)
    assert "restored after 82 s" in text
    assert "failed after" in text
    assert "a byte was altered" in page(browser, "admin:compliance_restoredrill_change", drill.pk)


@pytest.mark.parametrize(
    ("name", "task", "action"),
    [
        ("compliance_backuprun", "compliance.tasks.back_up", "backup.requested"),
        ("compliance_restoredrill", "compliance.tasks.restore_drill", "restoredrill.requested"),
    ],
    ids=["backup", "drill"],
)
def test_the_button_has_a_worker_do_it_once_it_is_on_record(
    browser: Client,
    sent: list[str],
    name: str,
    task: str,
    action: str,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(reverse(f"admin:{name}_now"))
    assert answer.status_code == 302
    assert task in sent
    assert AuditEvent.objects.filter(action=action, actor_kind="user").count() == 1


def test_while_a_backup_is_being_made_no_drill_can_be_asked_for(browser: Client, sent: list[str]) -> None:
    a_drill()
    assert "Try a restore now" in page(browser, DRILLS)
    JobRun.objects.create(kind=backups.KIND, started_by="task back_up", process="elsewhere 1 1.00")
    assert "Try a restore now" not in page(browser, DRILLS)
    browser.post(reverse("admin:compliance_restoredrill_now"))
    assert "A backup is being made" in page(browser, DRILLS)
    assert not AuditEvent.objects.filter(action="restoredrill.requested").exists()


def test_a_backup_whose_process_died_does_not_keep_others_from_asking(browser: Client) -> None:
    """As in a restored database, which holds the run of its own backup."""
    a_backup_run()
    job = JobRun.objects.create(kind=backups.KIND, started_by="task back_up", process="elsewhere 1 1.00")
    assert "Back up now" not in page(browser, LIST)
    JobRun.objects.filter(pk=job.pk).update(seen_at=timezone.now() - timedelta(minutes=2))
    assert "Back up now" in page(browser, LIST)


def test_a_look_is_no_order(browser: Client, sent: list[str]) -> None:
    assert browser.get(reverse("admin:compliance_backuprun_now")).status_code == 404
    assert sent == []


def test_only_who_may_can_ask(client: Client, sent: list[str]) -> None:
    client.force_login(an_admin(is_superuser=False))
    assert client.post(reverse("admin:compliance_backuprun_now")).status_code == 403
    assert sent == []


def test_the_front_page_warns_of_what_is_missing_and_of_what_is_late(browser: Client) -> None:
    assert "There is no backup yet" in page(browser, "admin:index")
    for part in BackupRun.Part.values:
        a_backup_run(part, age=timedelta(days=20))
    assert "480 hours old" in page(browser, "admin:index")
    for part in BackupRun.Part.values:
        a_backup_run(part, age=timedelta(hours=1))
    assert "No restore drill has passed within 14 days" in page(browser, "admin:index")
    a_drill()
    text = page(browser, "admin:index")
    assert "backup yet" not in text
    assert "restore drill has passed" not in text
