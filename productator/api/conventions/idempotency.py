"""`Idempotency-Key`: a POST that is sent again has its effect once, and the same answer again."""

import hashlib
import json
import re
from collections.abc import Callable

from flask import Response, current_app, request
from sqlalchemy.orm import Session

from productator import idempotency
from productator.api.conventions.auth import caller
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import KeyInUse, MalformedKey
from productator.idempotency import KeptAnswer, Keyed

# As a structured field string (RFC 9651), or bare, as many clients send it.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')
_BARE = re.compile(r"[!#-~]{1,255}")
KEY_PATTERN = f"^(?:{_QUOTED.pattern}|{_BARE.pattern})$"
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")


def once(work: Callable[[Session], Response]) -> Response:
    """Runs `work` in a transaction; for a request whose key has an answer already, gives that one."""
    keyed = _keyed()
    if keyed is None:
        with transaction() as session:
            return work(session)
    return _kept(keyed) or _run(keyed, work) or _kept_by_another(keyed)


def _kept(keyed: Keyed) -> Response | None:
    with reading() as connection:
        answer = idempotency.find(connection, keyed, now=utc_now())
    return None if answer is None else _replayed(answer)


def _run(keyed: Keyed, work: Callable[[Session], Response]) -> Response | None:
    """None: somebody else has taken the key since we looked."""
    with transaction() as session:
        if not idempotency.begin(session, keyed, now=utc_now()):
            session.rollback()
            return None
        response = work(session)
        idempotency.keep(session, keyed, _answer(response))
        return response


def _kept_by_another(keyed: Keyed) -> Response:
    kept = _kept(keyed)
    if kept is None:  # the other gave up in between
        raise KeyInUse
    return kept


def _keyed() -> Keyed | None:
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    quoted = _QUOTED.fullmatch(header)
    if not quoted and not _BARE.fullmatch(header):
        raise MalformedKey
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header
    return Keyed(
        scope=_digest(caller(), request.method, request.path, key),
        fingerprint=_digest(request.method, request.full_path, _canonical_body()),
    )


def _canonical_body() -> str:
    """The body without the accidents of its writing."""
    body = request.get_data()
    try:
        return json.dumps(json.loads(body), sort_keys=True)
    except (ValueError, RecursionError):  # a call that takes no body was sent one all the same, or none
        return body.decode("latin-1")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _answer(response: Response) -> KeptAnswer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return KeptAnswer(response.status_code, json.dumps(headers), response.get_data(as_text=True))


def _replayed(answer: KeptAnswer) -> Response:
    headers = json.loads(answer.headers) | {"Idempotency-Replayed": "true"}
    return current_app.response_class(answer.body, status=answer.status, headers=headers)
