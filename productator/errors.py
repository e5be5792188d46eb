"""What can go wrong, as types. Nothing here knows of HTTP; `api/kinds.py` gives each a status and a page."""


class ProductatorError(Exception):
    """Base of the failures that a caller of ours is told about."""


class ProductNotFound(ProductatorError):
    def __init__(self, product_id: int) -> None:
        super().__init__(f"There is no product {product_id}.")


class OfferNotFound(ProductatorError):
    def __init__(self, product_id: int, offer_id: int) -> None:
        super().__init__(f"Product {product_id} has no offer {offer_id}.")


class OfferIsExternal(ProductatorError):
    def __init__(self, offer_id: int) -> None:
        super().__init__(f"Offer {offer_id} belongs to the Offers service; only own offers can be changed.")


class StaleVersion(ProductatorError):
    def __init__(self, current: int) -> None:
        self.current = current
        super().__init__("It was changed meanwhile: none of the tags in If-Match is its current one.")


class PreconditionRequired(ProductatorError):
    def __init__(self) -> None:
        super().__init__(
            "This deployment wants If-Match on every change: send the ETag of what you have read."
        )


class InvalidInput(ProductatorError):
    """A request that was understood but not acceptable: each wrong field as (JSON pointer, sentence)."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__("The request names values that are not acceptable; `errors` lists each.")


class KeyReused(ProductatorError):
    def __init__(self) -> None:
        super().__init__("The Idempotency-Key has served another request: use a new one.")


class KeyInUse(ProductatorError):
    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key has not been answered yet.")


class MalformedRequest(ProductatorError):
    """A request that could not be read at all; the reason is a sentence for the caller."""


class CursorRejected(ProductatorError):
    """A cursor that leads nowhere; the reason is a sentence for the caller."""


class MalformedKey(ProductatorError):
    def __init__(self) -> None:
        super().__init__("The Idempotency-Key is not 1 to 255 visible characters, quoted or not.")


class TooManyRequests(ProductatorError):
    def __init__(self, seconds_left: int) -> None:
        self.seconds_left = seconds_left
        super().__init__(f"This was one request too many; the next is served in {seconds_left} s.")


class CommitUnknown(ProductatorError):
    def __init__(self) -> None:
        super().__init__(
            "The database was lost while the change was being committed, so it may or may not have been made."
        )


class TokenRequired(ProductatorError):
    def __init__(self) -> None:
        super().__init__("This needs a token: send it as `Authorization: Bearer` and the token.")


class TokenInvalid(ProductatorError):
    """One sentence for all that can be wrong with a token: more would tell a guesser something."""

    def __init__(self) -> None:
        super().__init__(
            "What was sent as Authorization is no token that is valid here and now: it is unknown, expired, "
            "revoked, or not in the form `Bearer TOKEN`."
        )


class ScopeMissing(ProductatorError):
    def __init__(self, needed: str) -> None:
        self.needed = needed
        super().__init__(f"The token is valid, but lacks the scope {needed}.")


class KeysUnavailable(ProductatorError):
    """Not the token's fault: who was told that it is invalid would throw a good one away."""

    def __init__(self) -> None:
        super().__init__("The token cannot be checked: the identity provider does not answer with its keys.")


class TokenNotFound(Exception):
    """There is no such token to revoke."""

    def __init__(self, token_id: int) -> None:
        super().__init__(f"There is no token {token_id}.")


class ConfigError(Exception):
    """The settings are wrong; the message is the one sentence the operator needs."""


class OffersServiceError(Exception):
    """Base of what can go wrong with the external Offers service."""


class OffersUnavailable(OffersServiceError):
    """The service cannot serve now: a later try may succeed."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(reason)


class AnotherTokenIsValid(OffersUnavailable):
    """The service gives no new access token while one is valid (generation 2)."""

    def __init__(self) -> None:
        super().__init__("Another access token is still valid, so no new one is given.")


class OffersProtocolError(OffersServiceError):
    """The service answered outside its contract: trying again will not help until someone has looked."""


class TokenRejected(OffersProtocolError):
    """The service did not accept our access token (401)."""


class ProductNotRegistered(OffersServiceError):
    """The service does not know the product: it has to be registered (again)."""
