"""The Offers service's contract, both generations: requests to send, answers understood, errors told apart.

Pure: whatever carries requests and answers lives elsewhere. The facts are those of the published contract;
where it is silent, the comment says what is assumed.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from productator.domain import MAX_AMOUNT, OfferData
from productator.errors import (
    AnotherTokenIsValid,
    OffersProtocolError,
    OffersUnavailable,
    ProductNotRegistered,
    TokenRejected,
)

# An answer of 10,000 offers takes about 1 MiB; what is far beyond cannot be a list of offers.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
DEFAULT_TOKEN_LIFETIME = timedelta(minutes=5)

_STATUSES = frozenset(HTTPStatus)
_TRY_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_OFFER_ID = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is relative to the service's base address."""

    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    value: str = field(repr=False)
    # None: does not expire.
    expires_at: datetime | None


def registration(remote_id: str, name: str, description: str) -> Request:
    body = json.dumps({"id": remote_id, "name": name, "description": description}).encode()
    return Request("POST", "/products/register", body)


def reading(remote_id: str) -> Request:
    return Request("GET", f"/products/{remote_id}/offers")


def authentication() -> Request:
    """Carries the refresh token in the token's place (generation 2) or no token at all (generation 1)."""
    return Request("POST", "/auth")


def retry_after(value: str | None) -> float | None:
    """Seconds, however many; the form with a date is not read, as no answer of this service uses it."""
    return float(value) if value and re.fullmatch("[0-9]+", value.strip()) else None


def check_registered(answer: Answer) -> None:
    """Returns when the product is registered now; raises otherwise."""
    # 409: our own UUID is known, so an earlier attempt arrived though its answer did not.
    if answer.status not in {HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.CONFLICT}:
        raise _failure(answer, "registering")


def offers(answer: Answer) -> list[OfferData]:
    """The offers of a well-formed answer; anything else raises, so that it can change nothing."""
    if answer.status == HTTPStatus.NOT_FOUND:
        raise ProductNotRegistered("The Offers service does not know the product.")
    if answer.status != HTTPStatus.OK:
        raise _failure(answer, "reading offers")
    listed = _json(answer)
    if not isinstance(listed, list):
        raise OffersProtocolError("The offers are not a list.")
    found = [_offer(item) for item in listed]
    if len({offer.id for offer in found}) != len(found):
        raise OffersProtocolError("An offer is listed twice.")
    return found


def digest(answer: Answer) -> str | None:
    """Equal for answers that tell the same offers in the same bytes; None when it tells none."""
    return (
        hashlib.blake2b(answer.body, digest_size=16).hexdigest() if answer.status == HTTPStatus.OK else None
    )


def access_token(answer: Answer, *, refreshing: bool, now: datetime) -> AccessToken:
    """The token of an answer to `authentication`; `refreshing`: a refresh token was sent (generation 2)."""
    if refreshing and answer.status == HTTPStatus.BAD_REQUEST:
        raise AnotherTokenIsValid
    if answer.status not in {HTTPStatus.CREATED, HTTPStatus.OK}:
        raise _failure(answer, "asking for an access token")
    body = _json(answer)
    value = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{1,8000}", value):
        raise OffersProtocolError("The answer holds no access token.")
    return AccessToken(value, _expiry(value, now) if refreshing else None)


def is_overload(answer: Answer) -> bool:
    """Whether the service has too much to do, as far as it says so."""
    return answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _TRY_LATER


def status_label(answer: Answer) -> str:
    """By which answers are counted: those that HTTP does not know share one, lest there be no end of them."""
    return str(answer.status) if answer.status in _STATUSES else "other"


def _failure(answer: Answer, doing: str) -> Exception:
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return TokenRejected("The Offers service does not accept our token.")
    reason = f"The Offers service answered {answer.status} when {doing}."
    if is_overload(answer):
        return OffersUnavailable(reason, retry_after_s=answer.retry_after_s)
    return OffersProtocolError(reason)


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as exc:
        raise OffersProtocolError("The answer is not JSON.") from exc


def _offer(item: Any) -> OfferData:
    """Reads the fields it knows by name; unknown ones and their order do not matter."""
    if not isinstance(item, dict):
        raise OffersProtocolError("An offer is not an object.")
    return OfferData(_offer_id(item.get("id")), _amount(item, "price"), _amount(item, "items_in_stock"))


def _offer_id(value: Any) -> str:
    # Integers in generation 1, UUIDs in generation 2: both are kept as text.
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _OFFER_ID.fullmatch(text):
        raise OffersProtocolError("An offer's id is neither an integer nor a short text.")
    return text


def _amount(item: dict[str, Any], key: str) -> int:
    value = item.get(key)
    # Not isinstance: True is an int, too.
    if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
        raise OffersProtocolError(f"An offer's {key} is not a whole number from 0 to {MAX_AMOUNT}.")
    return value


def _expiry(token: str, now: datetime) -> datetime:
    """The JWT's claim `expires`; not `exp`, so JWT libraries would not see it."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expires_at = datetime.fromtimestamp(claims["expires"], UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return now + DEFAULT_TOKEN_LIFETIME
    # A token that was given this moment has not expired: then it is our clock that is ahead of the service's.
    return expires_at if expires_at > now else now + DEFAULT_TOKEN_LIFETIME
