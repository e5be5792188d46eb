"""The JSON of API tokens."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from productator.access import api_tokens
from productator.access.api_tokens import ListedToken
from productator.api.schemas.answers import Id, Time
from productator.domain import time_json


class TokenJson(TypedDict):
    id: Id
    name: str
    prefix: Annotated[str, Field(description="The first characters of the secret, to recognise it by.")]
    scopes: list[Literal["read", "write", "admin"]]
    state: Literal["active", "expired", "revoked"]
    created_at: Time
    expires_at: Annotated[Time | None, Field(description="Null: it does not expire.")]
    last_used_at: Annotated[Time | None, Field(description="To about a minute; null: never.")]
    revoked_at: Time | None


class NewTokenJson(TokenJson):
    secret: Annotated[
        str | None,
        Field(description="What callers send. It is shown once: a replayed answer has null instead."),
    ]


def token_json(token: ListedToken, *, now: datetime) -> TokenJson:
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "scopes": token.scopes.split(),  # type: ignore[typeddict-item] # the column holds nothing else
        "state": api_tokens.state(token, now=now),
        "created_at": time_json(token.created_at),
        "expires_at": time_json(token.expires_at) if token.expires_at else None,
        "last_used_at": time_json(token.last_used_at) if token.last_used_at else None,
        "revoked_at": time_json(token.revoked_at) if token.revoked_at else None,
    }
