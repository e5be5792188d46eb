"""Problem types: one for each of our errors, in order, with the pages that explain them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from productator import errors
from productator.api.conventions.problem_types import PROBLEM_TYPES, TYPE_OF_ERROR, ProblemType
from productator.app import create_app
from tests import factories
from tests.api.checks import problem
from tests.servers import dispose_of

ENDPOINTS = Path(__file__).parents[2] / "ENDPOINTS.md"
EACH_TYPE = pytest.mark.parametrize("problem_type", PROBLEM_TYPES.values(), ids=PROBLEM_TYPES.keys())


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    yield app.test_client()
    dispose_of(app)


def below(error: type[Exception]) -> Iterator[type[Exception]]:
    """All subclasses, to any depth."""
    for each in error.__subclasses__():
        yield each
        yield from below(each)


def test_every_error_of_ours_has_a_problem_type() -> None:
    assert set(TYPE_OF_ERROR) == set(below(errors.ProductatorError))


def test_problem_types_stand_in_the_order_of_their_statuses() -> None:
    assert list(PROBLEM_TYPES.values()) == sorted(PROBLEM_TYPES.values(), key=lambda each: each.status)


@EACH_TYPE
def test_a_problem_type_is_named_in_words_that_fit_an_address(problem_type: ProblemType) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", problem_type.name)
    assert problem_type.type == f"/problems/{problem_type.name}"
    assert problem_type.status >= 400


@EACH_TYPE
def test_a_problem_type_is_described_in_sentences(problem_type: ProblemType) -> None:
    assert not problem_type.title.endswith(".")
    assert all(
        text.endswith(".") for text in (problem_type.meaning, problem_type.advice, problem_type.example)
    )


@EACH_TYPE
def test_the_type_of_a_problem_leads_to_its_page(client: FlaskClient, problem_type: ProblemType) -> None:
    page = client.get(problem_type.type)

    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert f"<h1>{problem_type.title}</h1>" in page.text
    assert problem_type.type in page.text
    assert "`" not in page.text
    assert "&lt;" not in page.text


def test_the_page_of_all_problems_leads_to_each(client: FlaskClient) -> None:
    found = re.findall('href="([^"]+)"', client.get("/problems").text)

    assert found == [f"problems/{name}" for name in PROBLEM_TYPES]


@pytest.mark.parametrize("path", ["/problems", "/problems/not-found"])
def test_pages_may_load_nothing(client: FlaskClient, path: str) -> None:
    page = client.get(path)

    assert page.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert not re.search("<script|src=|//", page.text)


@pytest.mark.parametrize("name", ["no-such", "Not-Found", "not-found.html", "<b>", "__class__"])
def test_a_page_of_an_unknown_problem_type_is_not_found(client: FlaskClient, name: str) -> None:
    assert problem(client.get(f"/problems/{name}"), 404)["type"] == "/problems/not-found"


def test_the_endpoints_document_lists_every_problem_type() -> None:
    text = ENDPOINTS.read_text(encoding="utf-8")
    rows = [
        f"| {int(each.status)} | `{each.name}` | {each.meaning} {each.advice} |"
        for each in PROBLEM_TYPES.values()
    ]

    assert re.findall(r"^\| [0-9]{3} \| .*$", text, re.MULTILINE) == rows


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.ProductNotFound(7), ["7"]),
        (errors.OfferNotFound(7, 8), ["7", "8"]),
        (errors.OfferIsExternal(8), ["8"]),
        (errors.CommitUnknown(), ["may or may not"]),
    ],
)
def test_an_error_names_what_it_is_about(error: errors.ProductatorError, words: list[str]) -> None:
    assert all(word in str(error) for word in words)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/docs/swagger-ui.css", 200),
        ("OPTIONS", "/api/v1/products", 200),
        ("GET", "/nowhere", 404),
        ("POST", "/livez", 405),
        ("POST", "/api/v1/products", 415),
        ("GET", "/api/v1/products?limit=0", 422),
    ],
)
def test_no_answer_may_be_taken_for_another_type(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = client.open(path, method=method)

    assert (response.status_code, response.headers["X-Content-Type-Options"]) == (status, "nosniff")
