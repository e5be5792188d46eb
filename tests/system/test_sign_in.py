"""Sign-in to the pages of the real server."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.system import System


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """On SQLite: this does not depend on the database."""
    system = System(f"sqlite:///{tmp_path / 'products.db'}", tmp_path)
    assert system.productator("migrate").end() == 0
    yield system.api()
    assert not system.stop_all()


def test_a_session_of_the_real_server_opens_pages_and_no_call_of_the_api(api: Api) -> None:
    browser = requests.Session()
    origin = {"Origin": api.url("")}
    form = re.search('name="form_token" value="([0-9a-f]+)"', browser.get(api.url("/login")).text)
    assert form
    fields = {"form_token": form[1], "token": ADMIN_TOKEN}
    browser.post(api.url("/login"), data=fields, headers=origin)
    page = browser.get(api.url("/tokens"))
    form = re.search('name="form_token" value="([0-9a-f]+)"', page.text)
    assert form

    assert page.status_code == 200
    assert "Sign out" in page.text
    assert browser.get(api.url("/api/v1/tokens")).status_code == 401
    assert browser.post(api.url("/logout"), data={"form_token": form[1]}).status_code == 403
    out = browser.post(api.url("/logout"), data={"form_token": form[1]}, headers=origin)
    assert out.url == api.url("/login")
    assert "Sign out" not in browser.get(api.url("/")).text
