"""Whom a base URL names: what decides who gets the secret that is sent there."""

from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def address_of(base_url: str) -> str:
    """Scheme, host and port of a URL, as in `https://api.openai.com:443`; its path is none of it.

    What could be read in two ways (a name before the host, a port that is none) is returned as it is, so that it is
    equal to nothing else.
    """
    parts = urlsplit(base_url)
    try:
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return base_url
    if "@" in parts.netloc or "\\" in base_url or not parts.hostname:
        return base_url
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
