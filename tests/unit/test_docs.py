"""Swagger UI: the API serves all of it, and it uses no other host."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from productator.app import create_app
from tests import factories
from tests.api.checks import problem
from tests.servers import dispose_of

SCRIPT = "text/javascript; charset=utf-8"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    app = create_app(factories.settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"))
    yield app.test_client()
    dispose_of(app)


def files_of(page: str) -> list[str]:
    return re.findall('(?:src|href)="([^"]+[^/"])"', page)


def test_the_page_is_html_under_a_strict_policy(client: FlaskClient) -> None:
    page = client.get("/docs")

    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text


def test_every_file_of_the_page_is_served(client: FlaskClient) -> None:
    found = [client.get("/" + file) for file in files_of(client.get("/docs").text)]

    assert [response.status_code for response in found] == [200] * 4
    assert [response.content_type for response in found] == [
        "image/png",
        "text/css; charset=utf-8",
        SCRIPT,
        SCRIPT,
    ]


def test_neither_page_nor_script_names_a_host(client: FlaskClient) -> None:
    texts = client.get("/docs").text + client.get("/docs/start.js").text

    assert "//" not in texts
    assert "validatorUrl: null" in texts


def test_swagger_ui_can_show_openapi_3_1(client: FlaskClient) -> None:
    version = re.search(r"swagger-ui\.css\?([0-9]+)", client.get("/docs").text)

    assert version
    assert int(version[1]) >= 5


def test_files_of_a_version_are_cached_for_long(client: FlaskClient) -> None:
    first = client.get("/docs/swagger-ui.css")
    again = client.get("/docs/swagger-ui.css", headers={"If-None-Match": first.headers["ETag"]})

    assert "max-age=31536000" in first.headers["Cache-Control"]
    assert (again.status_code, again.headers["Cache-Control"]) == (304, first.headers["Cache-Control"])


@pytest.mark.parametrize("file", ["VERSION", "start.js.map", "..%2F__init__.py", "%2Fetc%2Fpasswd", "."])
def test_no_other_file_is_served(client: FlaskClient, file: str) -> None:
    problem(client.get(f"/docs/{file}"), 404)
