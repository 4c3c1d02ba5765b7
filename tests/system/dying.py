"""`python -m tests.system.dying`: takes actions in processes that stop at a point of their choice, to be killed there.

Each line of the standard input is JSON: `action`, `name`, `point`. A child of its own takes the action and stops when
it is about to send statement number `point` to the database, or at `commit` or `committed`; then it says `stopped` and
its number. One that comes to the end says `ended`.
"""

import json
import os
import signal
import sys
from typing import Any

import django


def main() -> None:
    django.setup()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _say("ready")
    for line in sys.stdin:
        if os.fork() == 0:
            _child(json.loads(line))
            os._exit(0)


def _child(asked: dict[str, Any]) -> None:
    from django.db import connections

    connection: Any = connections["default"]
    sent = 0

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal sent
        if sent == asked["point"]:
            _stop()
        sent += 1
        return execute(sql, params, many, context)

    commit = connection._commit

    def committed() -> Any:
        if asked["point"] == "commit":
            _stop()
        result = commit()
        if asked["point"] == "committed":
            _stop()
        return result

    connection._commit = committed
    with connection.execute_wrapper(count):
        _ACTIONS[asked["action"]](asked["name"])
    _say("ended")


def _stop() -> None:
    _say("stopped")
    signal.pause()


def _say(word: str) -> None:
    os.write(1, f"{word} {os.getpid()}\n".encode())


def _open(slug: str) -> None:
    from accounts.actions import tenants
    from accounts.models import Tenant
    from compliance.contracts import SYSTEM

    tenants.open(tenant=Tenant(slug=slug, name="Acme"), by=SYSTEM)


def _suspend(slug: str) -> None:
    from accounts.actions import tenants
    from accounts.models import Tenant
    from compliance.contracts import SYSTEM

    tenants.suspend(tenant=Tenant.objects.get(slug=slug), by=SYSTEM)


def _remove(slug: str) -> None:
    from billing.models import Tier
    from compliance import rows
    from compliance.contracts import SYSTEM

    rows.delete(Tier.objects.get(slug=slug), by=SYSTEM)


_ACTIONS = {"open": _open, "suspend": _suspend, "remove": _remove}

if __name__ == "__main__":
    main()
