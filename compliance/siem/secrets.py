"""What a stream shows its receiver: sealed under the root key, bound to the stream."""

from compliance import sealed
from compliance.models import SiemStream
from compliance.siem.transports import Destination


def place_of(stream_id: int, name: str) -> str:
    """Where a stream's secret belongs."""
    return f"siem/{stream_id}/{name}"


def destination_of(stream: SiemStream) -> Destination:
    """Where a stream leads, with its secrets in clear: keep it no longer than a delivery.

    Raises:
        DecryptionFailed: the root key that they were sealed under is not at hand.
        KeyStoreUnavailable: the provider of the root keys does not answer.
    """
    return Destination(
        kind=stream.transport,
        host=stream.host,
        port=stream.port,
        url=stream.url,
        ca=stream.ca,
        certificate=stream.certificate,
        private_key=_opened(stream, "private_key"),
        token=_opened(stream, "token"),
    )


def _opened(stream: SiemStream, name: str) -> str:
    value = getattr(stream, name)
    return sealed.unseal(value, context=place_of(stream.pk, name)).decode() if value else ""


def _column(name: str, title: str) -> sealed.Column:
    return sealed.Column(model=SiemStream, name=name, context=lambda row: place_of(row.pk, name), title=title)


COLUMNS = (_column("token", "SIEM tokens"), _column("private_key", "SIEM private keys"))
