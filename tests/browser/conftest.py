"""A real browser on a real server: both planes in one process, as `make run` starts it.

`server` is the application on the test databases, `admin` a browser page that is signed in. Rows are committed, so each
test makes its own. Whatever the browser complains of (script errors, refused by the content security policy, missing
files, requests to other hosts) fails the test that was looking.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from accounts.models import User
from tests.factories.control import an_admin
from tests.system.processes import Gateway, Sandbox

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def server(databases: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The application; it hashes passwords as cheaply as the tests do."""
    log = tmp_path_factory.mktemp("browser") / "server.log"
    server = Gateway(log, DJANGO_SETTINGS_MODULE="tests.settings")
    yield server
    server.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """An upstream for models to be served from."""
    sandbox = Sandbox(tmp_path_factory.mktemp("browser") / "sandbox.log")
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Where there is none the tests are skipped, but not in CI."""
    path = shutil.which("chromium")
    if path is None and not os.environ.get("CI"):
        pytest.skip("no chromium on this machine")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's loop runs in this thread, which Django takes for a reason to refuse queries.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        assert path is not None, "CI needs a browser: apt-get install chromium"
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser, server: Gateway) -> Iterator[BrowserContext]:
    """A browser without a past, on a desk."""
    context = chromium.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, server: Gateway) -> Iterator[Page]:
    """A page that must not make the browser complain."""
    page = context.new_page()
    complaints = Complaints(page, host=server.url)
    yield page
    assert complaints.texts == [], _why(complaints, server)


@pytest.fixture
def person(databases: None) -> User:
    """Somebody who may do everything; their password is `tests.factories.control.PASSWORD`."""
    return an_admin()


@pytest.fixture
def admin(page: Page, person: User, server: Gateway) -> Page:
    """A page signed in as `person`, without the form: sign-in is limited per address."""
    client = Client()
    client.force_login(person)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": server.url}])
    return page


def _why(complaints: "Complaints", server: Gateway) -> str:
    """The complaints; of errors of the server also what it logged."""
    errors = [line for line in server.log_lines() if line.get("level") in ("error", "critical")]
    return "\n".join([*complaints.texts, *(str(line) for line in errors[-3:])])


class Complaints:
    """What a browser finds wrong with a page."""

    def __init__(self, page: Page, *, host: str) -> None:
        self.texts: list[str] = []
        self._host = host
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.texts.append(f"error: {error}"))
        page.on("response", self._on_response)
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.texts.append(f"{message.type}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.texts.append(f"{response.status}: {response.url}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._host, "data:", "blob:")):
            self.texts.append(f"another host: {request.url}")
