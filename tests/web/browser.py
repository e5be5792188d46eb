"""A browser without script: it keeps cookies, and sends the forms of pages with the headers of browsers."""

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
_TOKEN = re.compile('name="form_token" value="([0-9a-f]{64})"')


def form_token(page: TestResponse) -> str:
    found = _TOKEN.search(page.text)
    assert found, page.text
    return found[1]


def send_form(
    client: FlaskClient,
    page: str,
    action: str,
    *,
    headers: dict[str, str] | None = None,
    base_url: str = "http://localhost",
    **fields: Any,
) -> TestResponse:
    """Sends the fields to the action, with the token of the page's form."""
    token = form_token(client.get(page, base_url=base_url))
    return client.post(
        action,
        data={"form_token": token} | fields,
        headers=SAME_ORIGIN if headers is None else headers,
        base_url=base_url,
    )


def sign_in(client: FlaskClient, secret: str, **options: Any) -> TestResponse:
    return send_form(client, "/login", "/login", token=secret, **options)


def signed_in(client: FlaskClient) -> bool:
    """Whether the next page knows the viewer."""
    return "Sign out" in client.get("/").text
