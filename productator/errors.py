"""Our errors, as types. This module knows no HTTP: `api/conventions/problem_types.py` gives each a status."""

# Of one request: an error takes more room in the answer than a wrong value in the request.
MOST_ERRORS = 100


class ProductatorError(Exception):
    """Base of the errors that the API answers to a caller."""


class ProductNotFound(ProductatorError):
    def __init__(self, product_id: int) -> None:
        super().__init__(f"There is no product {product_id}.")


class OfferNotFound(ProductatorError):
    def __init__(self, product_id: int, offer_id: int) -> None:
        super().__init__(f"Product {product_id} has no offer {offer_id}.")


class TokenNotFound(ProductatorError):
    def __init__(self, token_id: int) -> None:
        super().__init__(f"There is no token {token_id}.")


class ChannelNotFound(ProductatorError):
    def __init__(self, channel_id: int) -> None:
        super().__init__(f"There is no channel {channel_id}.")


class ChannelDisabled(ProductatorError):
    def __init__(self, channel_id: int) -> None:
        super().__init__(f"Channel {channel_id} is disabled; a successful test enables it.")


class ChannelSignsNothing(ProductatorError):
    def __init__(self, channel_id: int) -> None:
        super().__init__(f"Channel {channel_id} is no webhook, so it has no secret to rotate.")


class DeliveryNotFound(ProductatorError):
    def __init__(self, delivery_id: int) -> None:
        super().__init__(f"There is no delivery {delivery_id}.")


class AlertRuleNotFound(ProductatorError):
    def __init__(self, rule_id: int) -> None:
        super().__init__(f"There is no alert rule {rule_id}.")


class EventNotFound(ProductatorError):
    def __init__(self, event_id: int) -> None:
        super().__init__(f"There is no event {event_id}.")


class OfferIsExternal(ProductatorError):
    def __init__(self, offer_id: int) -> None:
        super().__init__(f"Offer {offer_id} belongs to the Offers service; only own offers can be changed.")


class StaleVersion(ProductatorError):
    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__("It was changed meanwhile: none of the tags in If-Match is its current one.")


class WeakTagSent(ProductatorError):
    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__(
            "If-Match has a weak tag, and weak tags never match: send the tag without its W/, which a proxy"
            " may have added."
        )


class VersionExcluded(ProductatorError):
    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__("If-None-Match excludes the current version: it names its tag, or it is *.")


class PreconditionRequired(ProductatorError):
    def __init__(self) -> None:
        super().__init__(
            "This deployment requires If-Match on every change: send the ETag of the version you have read."
        )


class InvalidInput(ProductatorError):
    """A readable request with wrong values: each wrong field as (JSON pointer, sentence)."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        self.errors = errors[:MOST_ERRORS]
        named = "each" if len(errors) <= MOST_ERRORS else f"the first {MOST_ERRORS}"
        super().__init__(f"The request names values that are not acceptable; `errors` lists {named}.")


class KeyReused(ProductatorError):
    def __init__(self) -> None:
        super().__init__("Another request has used this Idempotency-Key: use a new one.")


class KeyInUse(ProductatorError):
    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key has not been answered yet.")


class MalformedRequest(ProductatorError):
    """A request that cannot be read; the reason is a sentence for the caller."""


class BodyEncoded(ProductatorError):
    """A body in a coding that the API does not decode."""

    def __init__(self, header: str, coding: str) -> None:
        super().__init__(f"The API does not decode `{header}: {coding}`: send the body as it is.")


class CursorRejected(ProductatorError):
    """A cursor that cannot be used; the reason is a sentence for the caller."""


class MalformedKey(ProductatorError):
    def __init__(self) -> None:
        super().__init__("The Idempotency-Key is not 1 to 255 visible characters, quoted or not.")


class TooManyRequests(ProductatorError):
    def __init__(self, seconds_left: int) -> None:
        self.seconds_left = seconds_left
        super().__init__(f"Too many requests: send the next one in {seconds_left} s.")


class DatabaseUnavailable(ProductatorError):
    def __init__(self) -> None:
        super().__init__("The database is not available at the moment; nothing was changed.")


class CommitUnknown(ProductatorError):
    def __init__(self) -> None:
        super().__init__(
            "The database was lost while the change was being committed, so it may or may not have been made."
        )


class TokenRequired(ProductatorError):
    def __init__(self) -> None:
        super().__init__("This request needs a token: send the header `Authorization: Bearer TOKEN`.")


class TokenInvalid(ProductatorError):
    """One sentence for everything that can be wrong with a token: details would help a guesser."""

    def __init__(self) -> None:
        super().__init__(
            "The token in the Authorization header is not valid: it is unknown, expired or revoked, or the"
            " header does not have the form `Bearer TOKEN`."
        )


class ScopeMissing(ProductatorError):
    def __init__(self, needed: str) -> None:
        self.needed = needed
        super().__init__(f"The token is valid, but lacks the scope {needed}.")


class FormRefused(ProductatorError):
    def __init__(self) -> None:
        super().__init__(
            "The form was not sent by a page of this address, or the page was too old: load the page again."
            " Behind a proxy, PRODUCTATOR_PUBLIC_URL must be the address that browsers show."
        )


class KeysUnavailable(ProductatorError):
    """Not an error of the token: the caller must not discard it."""

    def __init__(self) -> None:
        super().__init__("The token cannot be checked: the identity provider does not answer with its keys.")


class ConfigError(Exception):
    """A setting is wrong; the message is one sentence for the operator."""


class CallFailed(Exception):
    """A call to somebody else's server brought no usable answer; the message is a part of a sentence."""


class OffersServiceError(Exception):
    """Base of the errors of the external Offers service."""


class OffersUnavailable(OffersServiceError):
    """The service cannot answer now; a later call may succeed."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class TooMuchAtOnce(OffersServiceError):
    """The answers of all calls together take too much memory of ours; the call is to be made again."""

    def __init__(self) -> None:
        super().__init__("Answers of the Offers service take too much memory.")


class AnotherTokenIsValid(OffersUnavailable):
    """The service gives no new access token while one is valid (generation 2)."""

    def __init__(self) -> None:
        super().__init__("Another access token is still valid, so no new one is given.")


class OffersProtocolError(OffersServiceError):
    """The service broke its contract; a retry does not help."""


class TokenRejected(OffersProtocolError):
    """The service did not accept our access token (401)."""


class ProductNotRegistered(OffersServiceError):
    """The service does not know the product, which must be registered (again)."""
