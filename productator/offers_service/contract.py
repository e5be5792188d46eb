"""The contract of the Offers service, both generations: its requests, its answers, its errors.

Pure: `http_call` and the refresher's transport carry requests and answers. The facts are those of the
published contract; where it says nothing, a comment names our assumption.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from productator.errors import (
    AnotherTokenIsValid,
    OffersProtocolError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)
from productator.offers_service import offer_list
from productator.offers_service.offer_list import OfferList

# An answer of 10,000 offers takes about 1 MiB; a far longer one cannot be a list of offers.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
# The default of PRODUCTATOR_MAX_OFFERS.
MAX_OFFERS = 5_000
DEFAULT_TOKEN_LIFETIME = timedelta(minutes=5)

_STATUSES = frozenset(HTTPStatus)
_TRY_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class OffersRequest:
    """`path` is relative to the service's base address."""

    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class OffersAnswer:
    status: int
    body: bytes
    retry_after_s: float | None = None
    redirects_to: str | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    value: str = field(repr=False)
    # None: it does not expire.
    expires_at: datetime | None


def registration(remote_id: str, name: str, description: str) -> OffersRequest:
    body = json.dumps({"id": remote_id, "name": name, "description": description}).encode()
    return OffersRequest("POST", "/products/register", body)


def reading(remote_id: str) -> OffersRequest:
    return OffersRequest("GET", f"/products/{remote_id}/offers")


def authentication() -> OffersRequest:
    """Sent with the refresh token as its token (generation 2) or without a token (generation 1)."""
    return OffersRequest("POST", "/auth")


def retry_after(value: str | None) -> float | None:
    """Seconds, however many; None for other forms, such as a date."""
    return float(value) if value and re.fullmatch("[0-9]+", value.strip()) else None


def check_registered(answer: OffersAnswer) -> None:
    """Returns if the product is registered now; raises OffersServiceError otherwise."""
    # 409: the service knows our UUID. An earlier attempt arrived, and its answer got lost.
    if answer.status not in {HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.CONFLICT}:
        raise _failure(answer, "registering")


def offers(answer: OffersAnswer, *, most: int = MAX_OFFERS) -> OfferList:
    """The offers of a well-formed answer; any other answer raises, so it cannot change stored offers.

    A wrong offer is refused alone. The list is refused as a whole where nobody can know what it means: it is
    no list, it is too long, it contradicts itself, or all its offers are wrong.
    """
    if answer.status == HTTPStatus.NOT_FOUND:
        raise ProductNotRegistered("The Offers service does not know the product.")
    if answer.status != HTTPStatus.OK:
        raise _failure(answer, "reading offers")
    listed = _json(answer)
    if not isinstance(listed, list):
        raise OffersProtocolError("The offers are not a list.")
    if len(listed) > most:
        raise OffersProtocolError(
            f"The list has {len(listed)} offers; PRODUCTATOR_MAX_OFFERS allows {most} for a product."
        )
    return offer_list.read(listed)


def digest(answer: OffersAnswer) -> str | None:
    """Equal for answers with the same bytes; None for an answer without offers."""
    return (
        hashlib.blake2b(answer.body, digest_size=16).hexdigest() if answer.status == HTTPStatus.OK else None
    )


def access_token(answer: OffersAnswer, *, refreshing: bool, now: datetime) -> AccessToken:
    """The token in an answer to `authentication`; `refreshing`: a refresh token was sent (generation 2)."""
    if refreshing and answer.status == HTTPStatus.BAD_REQUEST:
        raise AnotherTokenIsValid
    if answer.status not in {HTTPStatus.CREATED, HTTPStatus.OK}:
        raise _failure(answer, "asking for an access token")
    body = _json(answer)
    value = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,8000}", value):
        raise OffersProtocolError("The answer contains no access token.")
    return AccessToken(value, _expiry(value, now) if refreshing else None)


def is_overload(answer: OffersAnswer) -> bool:
    """Whether the service says that it cannot serve the call now."""
    return answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRY_LATER


def status_label(answer: OffersAnswer) -> str:
    """The label that metrics count the answer under; statuses unknown to HTTP share one: labels stay few."""
    return str(answer.status) if answer.status in _STATUSES else "other"


def _failure(answer: OffersAnswer, doing: str) -> Exception:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return TokenRejected("The Offers service does not accept our token.")
    target = "" if answer.redirects_to is None else f", a redirect to {answer.redirects_to},"
    reason = f"The Offers service answered {answer.status}{target} when {doing}."
    if is_overload(answer):
        return OffersUnavailable(reason, retry_after_s=answer.retry_after_s)
    return OffersProtocolError(reason)


def _json(answer: OffersAnswer) -> Any:
    try:
        return _decoded(answer.body)
    except (ValueError, RecursionError) as exc:
        raise OffersProtocolError("The answer is not JSON.") from exc


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        # Python converts no number of thousands of digits; the one offer that has it is wrong, not the list.
        return json.loads(body, parse_int=float)


def _expiry(token: str, now: datetime) -> datetime:
    """The JWT's claim `expires`; JWT libraries know only `exp`."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expires_at = datetime.fromtimestamp(claims["expires"], UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return now + DEFAULT_TOKEN_LIFETIME
    # A token that was just issued has not expired: our clock is ahead of the service's.
    return expires_at if expires_at > now else now + DEFAULT_TOKEN_LIFETIME
