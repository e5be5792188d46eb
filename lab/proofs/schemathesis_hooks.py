"""What Schemathesis holds answers to beyond its own checks, and which of its complaints are none.

`schemathesis.toml` names this module.
"""

import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response
from schemathesis.openapi.checks import RejectedPositiveData

from productator.api.conventions import problem_types

# The variable that names the file for the counts of a run.
TALLY = "SCHEMATHESIS_TALLY"
_MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}
# What uWSGI and HTTP itself add to any answer.
_OF_THE_SERVER = {"connection", "content-length", "content-type"}
# Valid requests are rightly refused for what no document can tell, since it depends on what is stored: a tag
# that is not the current one, a cursor that is not ours, a key that another request has used.
_DEPEND_ON_WHAT_IS_STORED = {
    problem_types.STALE_VERSION.type,
    problem_types.CURSOR_REJECTED.type,
    problem_types.KEY_REUSED.type,
}


@schemathesis.check
def errors_are_problems(ctx: CheckContext, response: Response, case: Case) -> None:
    """Every 4xx and 5xx is one, those for methods that do not exist included."""
    if response.status_code < 400:
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    problem = response.json()
    kind = problem_types.PROBLEM_TYPES[problem["type"].removeprefix("/problems/")]
    assert problem.keys() - {"errors"} == _MEMBERS, f"its members are {sorted(problem)}"
    assert (problem["status"], problem["title"]) == (response.status_code, kind.title)
    assert ("errors" in problem) == (kind is problem_types.INVALID_INPUT)
    assert [problem["request_id"]] == response.headers["x-request-id"]
    assert "sqlalchemy" not in response.text.lower()


@schemathesis.check
def headers_are_described(ctx: CheckContext, response: Response, case: Case) -> None:
    """The document names every header of the answer; what OPTIONS answers stands in its introduction."""
    described = case.operation.responses.find_by_status_code(response.status_code)
    names = {name.lower() for name, _ in described.headers.items()} if described else set()
    if response.request.method == "OPTIONS":
        names |= {"allow", "x-request-id"}
    unknown = response.headers.keys() - names - _OF_THE_SERVER
    assert not unknown, f"{response.status_code} is not described with {sorted(unknown)}"


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Case, response: Response) -> bool:
    """False for a complaint that is none."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    return problem["type"] not in _DEPEND_ON_WHAT_IS_STORED and not _is_of_a_range(problem)


def _is_of_a_range(problem: Any) -> bool:
    """Whether two good times make no good range: a schema tells nothing of one parameter beside another."""
    if problem["type"] != problem_types.INVALID_INPUT.type:
        return False
    return all(
        error["pointer"] in {"/from", "/interval"} and re.search(r"after `to`|more than", error["detail"])
        for error in problem["errors"]
    )


@schemathesis.hook
def before_call(context: Any, case: Case, kwargs: Any) -> None:
    """Makes texts of headers that links have filled with numbers, which cannot be sent."""
    case.headers.update({name: str(value) for name, value in case.headers.items()})


@schemathesis.check
class Tally:
    """Counts the answers of each phase by their status."""

    def __init__(self) -> None:
        self._statuses: dict[str, Counter[int]] = defaultdict(Counter)

    def after_response(self, ctx: CheckContext, response: Response, case: Case) -> None:
        self._statuses[str(ctx.phase)][response.status_code] += 1

    def after_run(self, ctx: CheckContext) -> None:
        Path(os.environ[TALLY]).write_text(json.dumps(self._statuses), encoding="utf-8")


@schemathesis.deserializer("text/html")
def html(ctx: Any, response: Response) -> str:
    return response.text
