"""Who may call what, as the document tells it."""

from typing import Any

from productator.api import kinds
from productator.api.auth import scope_of
from productator.domain import Scope

PROBLEMS = {
    kinds.TOKEN_REQUIRED,
    kinds.TOKEN_INVALID,
    kinds.SCOPE_MISSING,
    kinds.KEYS_UNAVAILABLE,
    kinds.UNAVAILABLE,
}
_NAME = "token"
SCHEMES: dict[str, Any] = {
    _NAME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "pt_... or JWT",
        "description": "A token of this API, or a JWT of the deployment's identity provider, with the scopes"
        " `read`, `write` or `admin`; each includes the ones before it.",
    }
}


def of(method: str) -> list[dict[str, Any]]:
    """As it is where PRODUCTATOR_AUTH is not set: reading is open, but takes a token."""
    scope = scope_of(method)
    needed = {_NAME: [str(scope)]}
    return [{}, needed] if scope == Scope.READ else [needed]
