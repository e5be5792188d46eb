"""Every type of problem that the API answers: the one table behind answers, pages and documents.

`type` is part of the contract: no problem type is ever renamed.
"""

from dataclasses import dataclass
from http import HTTPStatus

from productator import errors
from productator.database.failures import NOT_MIGRATED

PATH = "/problems"


@dataclass(frozen=True)
class ProblemType:
    status: HTTPStatus
    name: str
    title: str
    meaning: str
    advice: str
    example: str  # of `detail`
    error: type[errors.ProductatorError] | None = None
    headers: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        return f"{PATH}/{self.name}"


# By name, in the order of their statuses.
PROBLEM_TYPES: dict[str, ProblemType] = {}


def _declare(
    status: int,
    name: str,
    title: str,
    *,
    meaning: str,
    advice: str,
    example: str | errors.ProductatorError,
    headers: tuple[str, ...] = (),
) -> ProblemType:
    """Adds a problem type to the table; an error as the example is one that is answered with this type."""
    error = type(example) if isinstance(example, errors.ProductatorError) else None
    declared = ProblemType(HTTPStatus(status), name, title, meaning, advice, str(example), error, headers)
    PROBLEM_TYPES[name] = declared
    return declared


MALFORMED_REQUEST = _declare(
    400,
    "malformed-request",
    "The request cannot be read",
    meaning="The request is not HTTP, its address or a header is not UTF-8, its body is not JSON or did not"
    " arrive, or its headers contradict each other.",
    advice="Fix what `detail` names; the same request would be refused again.",
    example=errors.MalformedRequest("The body is not JSON: EOF while parsing a value at line 1 column 0."),
)
MALFORMED_KEY = _declare(
    400,
    "malformed-key",
    "The Idempotency-Key is malformed",
    meaning="The `Idempotency-Key` is not 1 to 255 visible characters, quoted or not. Nothing was done.",
    advice="Send another key, for example a UUID.",
    example=errors.MalformedKey(),
)
CURSOR_REJECTED = _declare(
    400,
    "cursor-rejected",
    "The cursor is not one of this list",
    meaning="The cursor was not issued by this API, or belongs to another list or other filters.",
    advice="Start again from the first page, and follow `next` unchanged.",
    example=errors.CursorRejected("The cursor is not one of ours: start again from the first page."),
)
TOKEN_REQUIRED = _declare(
    401,
    "token-required",
    "A token is needed",
    meaning="The call needs a token, and none was sent.",
    advice="Send a token as `Authorization: Bearer TOKEN`.",
    example=errors.TokenRequired(),
    headers=("WWW-Authenticate",),
)
TOKEN_INVALID = _declare(
    401,
    "token-invalid",
    "The token is not valid",
    meaning="The `Authorization` header is not `Bearer` and a valid token: the token is unknown, expired,"
    " revoked or malformed. The answer is the same where no token is needed.",
    advice="Get another token from the operator, or omit the header where no token is needed.",
    example=errors.TokenInvalid(),
    headers=("WWW-Authenticate",),
)
SCOPE_MISSING = _declare(
    403,
    "scope-missing",
    "The token may not do this",
    meaning="The token is valid, but lacks the scope that `WWW-Authenticate` names.",
    advice="Get a token with that scope from the operator.",
    example=errors.ScopeMissing("write"),
    headers=("WWW-Authenticate",),
)
FORM_REFUSED = _declare(
    403,
    "form-refused",
    "The form was refused",
    meaning="Pages accept forms from pages of the same address alone, with the token that each form has.",
    advice="Load the page again. Programs use the API, which takes no cookie.",
    example=errors.FormRefused(),
)
NOT_FOUND = _declare(
    404,
    "not-found",
    "There is nothing at this address",
    meaning="The API has no such path. An id in a path is digits without leading zeros.",
    advice="Compare the path with `/openapi.json`.",
    example="There is nothing at /api/v1/product/13.",
)
PRODUCT_NOT_FOUND = _declare(
    404,
    "product-not-found",
    "There is no such product",
    meaning="The product was deleted, or never existed.",
    advice="Delete its id on your side: no other product gets it.",
    example=errors.ProductNotFound(13),
)
OFFER_NOT_FOUND = _declare(
    404,
    "offer-not-found",
    "There is no such offer",
    meaning="The product has no such offer, or no longer: the Offers service adds and removes offers.",
    advice="Read the product's offers again.",
    example=errors.OfferNotFound(13, 68),
)
TOKEN_NOT_FOUND = _declare(
    404,
    "token-not-found",
    "There is no such token",
    meaning="No token has this id. A revoked one stays in the list.",
    advice="Compare the id with those of `GET /api/v1/tokens`.",
    example=errors.TokenNotFound(13),
)
CHANNEL_NOT_FOUND = _declare(
    404,
    "channel-not-found",
    "There is no such channel",
    meaning="The channel was deleted, or never existed.",
    advice="Delete its id on your side: no other channel gets it.",
    example=errors.ChannelNotFound(3),
)
DELIVERY_NOT_FOUND = _declare(
    404,
    "delivery-not-found",
    "There is no such delivery",
    meaning="The delivery never existed, or was deleted: deliveries are kept for 30 days.",
    advice="Look it up in the list of deliveries.",
    example=errors.DeliveryNotFound(77),
)
ALERT_RULE_NOT_FOUND = _declare(
    404,
    "alert-rule-not-found",
    "There is no such alert rule",
    meaning="The rule was deleted, also together with its product, or never existed.",
    advice="Delete its id on your side: no other rule gets it.",
    example=errors.AlertRuleNotFound(5),
)
EVENT_NOT_FOUND = _declare(
    404,
    "event-not-found",
    "There is no such event",
    meaning="The event never existed, or was deleted: events are kept for 90 days.",
    advice="Look it up in the list of events.",
    example=errors.EventNotFound(31),
)
METHOD_NOT_ALLOWED = _declare(
    405,
    "method-not-allowed",
    "The path does not have this method",
    meaning="The path exists, but not with this method; `Allow` names those it has.",
    advice="Use one of those methods.",
    example="The method is not allowed for the requested URL.",
    headers=("Allow",),
)
OFFER_IS_EXTERNAL = _declare(
    409,
    "offer-is-external",
    "The offer belongs to the Offers service",
    meaning="Only own offers can be changed or deleted here; nothing was done.",
    advice="Leave the offer to the refresher, or add an own offer beside it.",
    example=errors.OfferIsExternal(68),
)
CHANNEL_DISABLED = _declare(
    409,
    "channel-disabled",
    "The channel is disabled",
    meaning="Every delivery failed for five days, or the receiver answered 410. Nothing was sent.",
    advice="Test the channel: a successful test enables it. Then deliver again.",
    example=errors.ChannelDisabled(3),
)
CHANNEL_SIGNS_NOTHING = _declare(
    409,
    "channel-signs-nothing",
    "The channel has no secret to rotate",
    meaning="Only webhooks are signed. Other kinds take the token of their service as `secret`.",
    advice="Change `secret` with a PATCH.",
    example=errors.ChannelSignsNothing(3),
)
KEY_IN_USE = _declare(
    409,
    "key-in-use",
    "The first request with this key is still running",
    meaning="A request with the same `Idempotency-Key` has not been answered yet.",
    advice="Wait for `Retry-After` seconds and send the same request with the same key again.",
    example=errors.KeyInUse(),
    headers=("Retry-After",),
)
LENGTH_REQUIRED = _declare(
    411,
    "length-required",
    "The length of the body is not known",
    meaning="The body is `chunked`, which this server cannot read.",
    advice="Send the body with a `Content-Length`; uWSGI reads `chunked`, too.",
    example="Send the body with a Content-Length.",
)
STALE_VERSION = _declare(
    412,
    "stale-version",
    "It was changed meanwhile",
    meaning="No tag in `If-Match` is of the current version, which `ETag` has; nothing was changed.",
    advice="Read it again, and send the change with the new tag if you still want it.",
    example=errors.StaleVersion(8),
    headers=("ETag",),
)
WEAK_TAG_SENT = _declare(
    412,
    "weak-tag-sent",
    "Weak tags never match",
    meaning="`If-Match` has a weak tag (`W/...`) and no other one that is current; nothing was changed."
    " Proxies that compress answers make tags weak.",
    advice="Send the tag without its `W/`, and let the proxy leave tags alone.",
    example=errors.WeakTagSent(8),
    headers=("ETag",),
)
VERSION_EXCLUDED = _declare(
    412,
    "version-excluded",
    "The current version is excluded",
    meaning="`If-None-Match` names the current version, which `ETag` has, or is `*`; nothing was changed.",
    advice="Omit `If-None-Match`: only a POST creates anything. `If-Match` is for a change of what you have"
    " read.",
    example=errors.VersionExcluded(8),
    headers=("ETag",),
)
BODY_TOO_LARGE = _declare(
    413,
    "body-too-large",
    "The body is too large",
    meaning="A body may have up to 1 MiB.",
    advice="Split the body into several requests.",
    example="The body may have up to 1 MiB (1048576 bytes).",
)
URI_TOO_LONG = _declare(
    414,
    "uri-too-long",
    "The address is too long",
    meaning="Path and query may have up to 8 KiB together.",
    advice="Use fewer or shorter filters.",
    example="Path and query may have up to 8192 characters together.",
)
UNSUPPORTED_MEDIA_TYPE = _declare(
    415,
    "unsupported-media-type",
    "The body is of another media type",
    meaning="This call does not accept the `Content-Type`.",
    advice="Send the body in a media type that `detail` names, with that `Content-Type`.",
    example="Send the body as application/json.",
)
BODY_ENCODED = _declare(
    415,
    "body-encoded",
    "The body is encoded",
    meaning="The body has a `Content-Encoding`, or a `Transfer-Encoding` other than `chunked`.",
    advice="Send the body as it is, without the header that `detail` names.",
    example=errors.BodyEncoded("Content-Encoding", "gzip"),
    headers=("Accept-Encoding",),
)
INVALID_INPUT = _declare(
    422,
    "invalid-input",
    "Some values are not acceptable",
    meaning="Fields or query parameters are unknown, missing or unacceptable; `errors` lists each, up to"
    " 100, with a JSON pointer.",
    advice="Fix everything that `errors` lists; the same request would be refused again.",
    example=errors.InvalidInput([("/price", "Input should be greater than or equal to 0.")]),
)
KEY_REUSED = _declare(
    422,
    "key-reused",
    "The key was used for another request",
    meaning="The `Idempotency-Key` was sent before to the same path with another body or query.",
    advice="Use a new key for each new request.",
    example=errors.KeyReused(),
)
PRECONDITION_REQUIRED = _declare(
    428,
    "precondition-required",
    "Changes need an If-Match",
    meaning="This deployment requires `If-Match` on every change (`PRODUCTATOR_REQUIRE_IF_MATCH`).",
    advice="Read the product or offer, and send its `ETag` as `If-Match`.",
    example=errors.PreconditionRequired(),
)
TOO_MANY_REQUESTS = _declare(
    429,
    "too-many-requests",
    "Too many requests",
    meaning="The caller's quota is used up, or its address sent too many wrong tokens. Nothing was done."
    " `RateLimit-Policy` has the quota.",
    advice="Wait for `Retry-After` seconds; slow down when `r` in `RateLimit` approaches 0.",
    example=errors.TooManyRequests(13),
    headers=("RateLimit", "RateLimit-Policy", "Retry-After"),
)
HEADERS_TOO_LARGE = _declare(
    431,
    "headers-too-large",
    "The headers are too large",
    meaning="The headers may have up to 32 KiB together, cookies included.",
    advice="Omit headers that the API does not need.",
    example="The headers may have up to 32768 bytes together.",
)
INTERNAL_ERROR = _declare(
    500,
    "internal-error",
    "An error inside the API",
    meaning="The API failed; the log has the reason under the `request_id`.",
    advice="Tell the operator the `request_id`. A POST may be sent again with its `Idempotency-Key`.",
    example="The API failed; the log has the reason under the request id.",
)
UNAVAILABLE = _declare(
    503,
    "unavailable",
    "Not available at the moment",
    meaning="The database does not answer, or not in time; nothing was changed.",
    advice="Send the request again after `Retry-After` seconds.",
    example=errors.DatabaseUnavailable(),
    headers=("Retry-After",),
)
NOTHING_IS_STORED = _declare(
    503,
    "nothing-is-stored",
    "The database stores nothing at the moment",
    meaning="The disk of the database is full, or the database is read-only; `detail` says which. Nothing was"
    " changed; reading goes on.",
    advice="Tell the operator, and send the request again after `Retry-After` seconds.",
    example="The disk of the database is full. Nothing was changed.",
    headers=("Retry-After",),
)
COMMIT_UNKNOWN = _declare(
    503,
    "commit-unknown",
    "The change may or may not have been made",
    meaning="The database connection was lost during the commit.",
    advice="Read the current state. A POST with an `Idempotency-Key` can simply be sent again.",
    example=errors.CommitUnknown(),
    headers=("Retry-After",),
)
KEYS_UNAVAILABLE = _declare(
    503,
    "keys-unavailable",
    "The token cannot be checked",
    meaning="The identity provider does not answer with the keys that check its tokens. Nothing was done.",
    advice="Send the request again after `Retry-After` seconds, with the same token.",
    example=errors.KeysUnavailable(),
    headers=("Retry-After",),
)
NOT_READY = _declare(
    503,
    "not-ready",
    "Not ready for traffic",
    meaning="The database does not answer or stores nothing, or its schema is not the one of this version;"
    " `detail` says which.",
    advice="Send traffic to another replica; `productator migrate` brings the schema up to date.",
    example=NOT_MIGRATED,
    headers=("Retry-After",),
)

TYPE_OF_ERROR = {each.error: each for each in PROBLEM_TYPES.values() if each.error}
