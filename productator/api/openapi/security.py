"""The tokens and scopes of the OpenAPI document."""

from typing import Any

from werkzeug.routing import Rule

from productator.api.conventions import problem_types
from productator.api.conventions.auth import scope_of
from productator.domain import Scope

PROBLEMS = {
    problem_types.TOKEN_REQUIRED,
    problem_types.TOKEN_INVALID,
    problem_types.SCOPE_MISSING,
    problem_types.KEYS_UNAVAILABLE,
    problem_types.UNAVAILABLE,
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


def of(rule: Rule, method: str) -> list[dict[str, Any]]:
    """The scopes by default, where PRODUCTATOR_AUTH is not set: reads are open, but take a token."""
    scope = scope_of(rule, method)
    needed = {_NAME: [str(scope)]}
    return [{}, needed] if scope == Scope.READ else [needed]
