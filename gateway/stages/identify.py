"""Finds out who the request is for, and whether they agreed to have it processed where the tenant requires that."""

from accounts.pseudonyms import pseudonym
from gateway.errors import ConsentRequired, EndUserBlocked
from gateway.exchange import Exchange
from gateway.plane import Plane


async def run(exchange: Exchange, plane: Plane) -> None:
    """Writes `end_user`: the surrogate of the person whom the request names, empty where it names nobody.

    Raises:
        EndUserBlocked: somebody has had this person's requests refused.
        ConsentRequired: the tenant requires a consent that the person has not given, or the request names nobody.
        RateLimited: too many people are new.
        Unavailable: the person cannot be looked up.
    """
    principal, identifier = exchange.principal, exchange.request.identifier
    purpose = principal.processing_purpose
    if not identifier:
        if purpose:
            raise ConsentRequired(
                "This tenant processes requests with the end user's consent only, and this one names none. Send "
                "'safety_identifier'."
            )
        return
    lookup = pseudonym(identifier, salt=principal.pseudonym_salt)
    known = await plane.subjects.resolve(principal.tenant_id, lookup, identifier, purpose=purpose)
    if known.is_blocked:
        raise EndUserBlocked()
    if known.may_process is False:
        raise ConsentRequired(
            f"The end user has not consented to '{purpose}', which this tenant requires. Record their consent, then "
            "send the request again."
        )
    exchange.end_user = known.surrogate
