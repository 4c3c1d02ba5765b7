"""What a process that serves imports before its first request: what it serves with, and nothing heavy besides."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

NOWHERE = {
    "reportlab": "draws statements",
    "xlsxwriter": "writes reports",
    "boto3": "fetches secrets, where they are kept at AWS",
    "botocore": "the same",
    "genai_prices": "is read when prices are seeded",
    "drf_spectacular.plumbing": "describes the API, and imports the test frameworks of Django and of Python",
    "django.test": "comes with it",
    "unittest": "comes with it",
}
NOT_FOR_DATA = {
    "celery": "sends tasks",
    "kombu": "carries them",
    "unfold.admin": "is the admin's theme",
    "accounts.admin": "serves people",
    "billing.admin": "the same",
    "compliance.admin": "the same",
    "gateway.admin": "the same",
    "servestatic": "serves the admin's files",
}
"""What heavy modules are for, none of which is done at the start; the second ones are for the control plane alone."""

LOADED = """
import sys
import config.asgi
print(*sys.modules)
"""
LATER = """
import config.asgi
from compliance import enqueuing
from django.urls import reverse
print(reverse("admin:gateway_model_changelist"))
import celery
sent = []
celery.Celery.send_task = lambda app, name, **options: sent.append(f"{name} {app.main} {options}")
enqueuing.enqueue("gateway.tasks.compile_dictionaries")
print(*sent)
"""


@pytest.mark.parametrize(
    ("plane", "heavy"), [("data", NOWHERE | NOT_FOR_DATA), ("all", NOWHERE)], ids=["data plane alone", "both planes"]
)
def test_what_is_heavy_is_imported_when_it_is_used(plane: str, heavy: dict[str, str]) -> None:
    assert heavy.keys() & set(_said(LOADED, plane).split()) == set()


def test_the_data_plane_alone_still_knows_the_addresses_of_pages_and_the_own_broker() -> None:
    page, sent = _said(LATER, "data").splitlines()
    assert page == "/admin/gateway/model/"
    assert sent == "gateway.tasks.compile_dictionaries portcullis {}"


def _said(script: str, plane: str) -> str:
    environment = {**os.environ, "PLANE": plane}
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout
