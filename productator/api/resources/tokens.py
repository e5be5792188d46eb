"""Routes of /api/v1/tokens, for administrators."""

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from productator.access import api_tokens
from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import tagged_content
from productator.api.conventions.cursors import page_answer, position_of
from productator.api.conventions.idempotency import once
from productator.api.conventions.parsing import read_body, read_query
from productator.api.conventions.responses import json_response, no_content
from productator.api.schemas.bodies import TokenIn
from productator.api.schemas.queries import TokensQuery
from productator.api.schemas.tokens import NewTokenJson, token_json
from productator.database.web import reading, transaction
from productator.domain import Scope, utc_now
from productator.errors import InvalidInput

tokens = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens")


@tokens.get("")
def list_tokens() -> Response:
    """All tokens by id, expired and revoked ones too; never with their secrets."""
    query = read_query(TokensQuery)
    position = position_of(query.cursor, api_tokens.BY_ID)
    with reading() as connection:
        page = api_tokens.page(connection, limit=query.limit, position=position)
    now = utc_now()
    return page_answer(page, (token_json(each, now=now) for each in page.rows))


@tokens.post("")
def create_token() -> Response:
    """Create a token; its secret is in this answer alone."""
    new, now = read_body(TokenIn), utc_now()
    if new.expires_at is not None and new.expires_at <= now:
        raise InvalidInput([("/expires_at", "Must be in the future.")])

    def create(session: Session) -> tuple[Response, Response]:
        token, secret = api_tokens.create(
            session, name=new.name, scopes=map(Scope, new.scopes), expires_at=new.expires_at, now=now
        )
        row = api_tokens.get(session.connection(), token.id)
        headers = {"Location": address_of("tokens.get_token", token_id=token.id)}
        shown: NewTokenJson = {**token_json(row, now=now), "secret": secret}
        answers = (json_response(each, 201, headers) for each in (shown, {**shown, "secret": None}))
        first, replayed = answers
        return first, replayed

    return once(create)


@tokens.get("/<id:token_id>")
def get_token(token_id: int) -> Response:
    with reading() as connection:
        token = api_tokens.get(connection, token_id)
    return tagged_content(json_response(token_json(token, now=utc_now())))


@tokens.delete("/<id:token_id>")
def revoke_token(token_id: int) -> Response:
    """Revoke a token from the next request on, with the sessions that it started; it stays in the list."""
    with transaction() as session:
        api_tokens.revoke(session, token_id, now=utc_now())
    return no_content()
