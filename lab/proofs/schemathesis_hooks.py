"""Checks of answers beyond Schemathesis's own, and the failures it reports that are none.

`schemathesis.toml` names this module.
"""

import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import RejectedPositiveData

from productator.api.conventions import problem_types

# Schemathesis's type parameter is the kind of schema; none of the hooks needs it.
AnyCase = Case[Any]
# The variable that names the file for the counts of a run.
TALLY = "SCHEMATHESIS_TALLY"
_MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}
# HTTP and its servers add these headers to any answer.
_OF_THE_SERVER = {"connection", "content-length", "content-type", "date"}
# Reasons to refuse a valid request that depend on stored data, so no document can describe them: a tag that
# is not the current one, a cursor that is not ours, a key that another request has used.
_DEPEND_ON_STORED_DATA = {
    problem_types.STALE_VERSION.type,
    problem_types.VERSION_EXCLUDED.type,
    problem_types.WEAK_TAG_SENT.type,
    problem_types.CURSOR_REJECTED.type,
    problem_types.KEY_REUSED.type,
}


# What these bodies may hold depends on other fields (what a kind needs), on stored rows (channels, products),
# on the network (addresses), and on what can be printed (names of tokens).
_BEYOND_A_SCHEMA = ("/api/v1/alert-rules", "/api/v1/channels", "/api/v1/tokens")

# In the message of every error of the database.
_TRACE = "sqlalche.me"


@schemathesis.check
def errors_are_problems(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Every 4xx and 5xx is a problem, those for methods that do not exist included."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    problem = response.json()
    kind = problem_types.PROBLEM_TYPES[problem["type"].removeprefix("/problems/")]
    assert problem.keys() - {"errors"} == _MEMBERS, f"its members are {sorted(problem)}"
    assert (problem["status"], problem["title"]) == (response.status_code, kind.title)
    assert ("errors" in problem) == (kind is problem_types.INVALID_INPUT)
    assert [problem["request_id"]] == response.headers["x-request-id"]
    # Path and request id are the caller's, and Schemathesis also draws texts from our own code.
    ours = {name: value for name, value in problem.items() if name not in {"instance", "request_id"}}
    text, sent = json.dumps(ours).lower(), repr((case.path_parameters, case.query, case.body)).lower()
    assert _TRACE not in text or _TRACE in sent


@schemathesis.check
def headers_are_described(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """The document names every header of the answer; its introduction describes the answers to OPTIONS."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    names = {name.lower() for name, _ in described.headers.items()} if described else set()
    if response.request.method == "OPTIONS":
        names |= {"allow", "cache-control", "vary", "x-content-type-options", "x-request-id"}
    unknown = response.headers.keys() - names - _OF_THE_SERVER
    assert not unknown, f"{response.status_code} is not described with {sorted(unknown)}"


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: AnyCase, response: Response) -> bool:
    """False for a reported failure that is none."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    if problem["type"] == problem_types.INVALID_INPUT.type and case.path.startswith(_BEYOND_A_SCHEMA):
        return False
    return problem["type"] not in _DEPEND_ON_STORED_DATA and not _is_about_a_range(problem)


def _is_about_a_range(problem: Any) -> bool:
    """Whether two valid values make no valid range: a schema cannot relate one parameter to another.

    A cursor that is not ours is listed beside.
    """
    if problem["type"] != problem_types.INVALID_INPUT.type:
        return False
    return all(
        error["pointer"] == "/cursor"
        or (
            error["pointer"] in {"/from", "/interval", "/min_price"}
            and re.search(r"after `to`|more than|above `max_price`", error["detail"])
        )
        for error in problem["errors"]
    )


@schemathesis.hook
def before_call(context: HookContext, case: AnyCase, kwargs: dict[str, Any]) -> None:
    """Turns numbers in headers, which links put there and which cannot be sent, into texts."""
    case.headers.update({name: str(value) for name, value in case.headers.items()})


@schemathesis.check
class Tally:
    """Counts the answers of each phase by their status."""

    def __init__(self) -> None:
        self._statuses: dict[str, Counter[int]] = defaultdict(Counter)

    def after_response(self, ctx: CheckContext, response: Response, case: AnyCase) -> None:
        self._statuses[str(ctx.phase)][response.status_code] += 1

    def after_run(self, ctx: CheckContext) -> None:
        Path(os.environ[TALLY]).write_text(json.dumps(self._statuses), encoding="utf-8")


@schemathesis.deserializer("text/html")
def html(ctx: Any, response: Response) -> str:
    return response.text
