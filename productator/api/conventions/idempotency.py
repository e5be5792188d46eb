"""`Idempotency-Key`: a POST that is sent again has its effect once, and gets the same answer.

This reads the header and replays answers; `productator/idempotency.py` stores them.
"""

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress

from flask import Response, current_app, g, request
from sqlalchemy.orm import Session

from productator import idempotency
from productator.api.conventions.auth import caller
from productator.database.web import reading, transaction
from productator.domain import utc_now
from productator.errors import KeyInUse, MalformedKey
from productator.idempotency import KeyedRequest, StoredAnswer

# As a structured field string (RFC 9651), or bare, as many clients send it.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"')
_BARE = re.compile(r"[!#-~]{1,255}")
KEY_PATTERN = f"^(?:{_QUOTED.pattern}|{_BARE.pattern})$"
_REPLAYED = "Idempotency-Replayed"
_STORED_HEADERS = ("Content-Type", "ETag", "Location")


# An answer with a secret comes with the one to store, which has none.
Answers = Response | tuple[Response, Response]


class _KeyTaken(Exception):
    """Undoes the transaction."""


def once(work: Callable[[Session], Answers]) -> Response:
    """Runs `work` in a transaction, or replays the answer that the request's key already has."""
    return once_for(_keyed_request(), work)


def once_for(keyed: KeyedRequest | None, work: Callable[[Session], Answers]) -> Response:
    """The same for a key that is not in the header."""
    if keyed is None:
        with transaction() as session:
            return _to_send_and_to_store(work(session))[0]
    response = _replay(keyed) or _run(keyed, work) or _replay(keyed)
    if response is None:  # another request took the key, and then rolled back
        raise KeyInUse
    # For metrics, whose hook runs when this request has its answer, however often its view ran.
    g.idempotency_outcome = "replayed" if _REPLAYED in response.headers else "fresh"
    return response


def _replay(keyed: KeyedRequest) -> Response | None:
    with reading() as connection:
        answer = idempotency.find_answer(connection, keyed, now=utc_now())
    if answer is None:
        return None
    headers = json.loads(answer.headers) | {_REPLAYED: "true"}
    return current_app.response_class(answer.body, status=answer.status, headers=headers)


def _run(keyed: KeyedRequest, work: Callable[[Session], Answers]) -> Response | None:
    """None: another request has taken the key since we looked."""
    with suppress(_KeyTaken), transaction() as session:
        now = utc_now()
        if not idempotency.take_key(session, keyed, now=now):
            raise _KeyTaken
        response, stored = _to_send_and_to_store(work(session))
        idempotency.store_answer(session, keyed, _answer(stored), now=now)
        return response
    return None


def _to_send_and_to_store(answers: Answers) -> tuple[Response, Response]:
    return answers if isinstance(answers, tuple) else (answers, answers)


def _keyed_request() -> KeyedRequest | None:
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    header = header.strip(" \t")  # uWSGI does not
    quoted = _QUOTED.fullmatch(header)
    if not quoted and not _BARE.fullmatch(header):
        raise MalformedKey
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header
    return KeyedRequest(
        scope=_digest(caller(), request.method, request.path, key),
        fingerprint=_digest(request.method, request.full_path, _canonical_body()),
    )


def _canonical_body() -> str:
    """The body, independent of spaces and the order of members."""
    body = request.get_data()
    try:
        return json.dumps(json.loads(body), sort_keys=True)
    except (ValueError, RecursionError):  # only calls that ignore the body get here
        return body.decode("latin-1")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _answer(response: Response) -> StoredAnswer:
    headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
    return StoredAnswer(response.status_code, json.dumps(headers), response.get_data(as_text=True))
