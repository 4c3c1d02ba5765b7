"""What `make run` says when everything is up. Pure."""

from pathlib import Path

from gateway.demo.credentials import Credentials


def text(*, origin: str, found: Credentials | None, logs: Path) -> str:
    """Addresses, and with the demo's credentials, how to make a first call."""
    addresses = f"""
  API       {origin}/v1
  Admin     {origin}/admin/
  API docs  {origin}/api/docs/
  Logs      {logs}
"""
    return addresses + (_first_call(found) if found else _NO_CREDENTIALS)


_NO_CREDENTIALS = """
No demo was added to this database, and secrets are shown once only. For new ones:

  manage.py createsuperuser
  manage.py issue_key --application TENANT/APPLICATION --name NAME --environment dev
"""


def _officer(found: Credentials) -> str:
    """The second person, whom older demos lack."""
    if not found.officer_password:
        return ""
    return f"""

  A second person, who approves what you ask for:

  Sign in   {found.officer_username}
  Password  {found.officer_password}"""


def _first_call(found: Credentials) -> str:
    password = found.admin_password or "(as it was set before)"
    return f"""
  Sign in   {found.admin_username}
  Password  {password}
  API key   {found.api_key}{_officer(found)}

With curl:

  curl {found.base_url}/chat/completions \\
    -H "Authorization: Bearer {found.api_key}" \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "{found.model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'

With the openai package:

  from openai import OpenAI
  client = OpenAI(base_url="{found.base_url}", api_key="{found.api_key}")
  messages = [{{"role": "user", "content": "Hello!"}}]
  answer = client.chat.completions.create(model="{found.model}", messages=messages)
  print(answer.choices[0].message.content)
"""
