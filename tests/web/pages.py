"""Gets pages as a browser does, and finds texts in them."""

import re
from collections.abc import Mapping
from html import unescape

from flask.testing import FlaskClient

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin"}


def get(
    client: FlaskClient, path: str, headers: Mapping[str, str] | None = None, *, status: int = 200
) -> str:
    response = client.get(path, headers={**BROWSER, **(headers or {})})
    assert response.status_code == status, response.text
    assert response.content_type == "text/html; charset=utf-8"
    return str(response.text)


def texts(html: str, path: str) -> list[str]:
    """The texts of all elements of a kind, within the first of another kind: `tbody tr`."""
    part, _, tag = path.rpartition(" ")
    within = re.search(rf"<{part}\b.*?</{part}>", html, re.DOTALL) if part else None
    found = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", within[0] if within else html, re.DOTALL)
    return [re.sub("[ \n]+", " ", unescape(re.sub("<[^>]*>", "", each))).strip() for each in found]


def names(html: str) -> list[str]:
    """The names of the products of a list."""
    return [unescape(each) for each in re.findall(r'<td class="name"><a [^>]*><bdi>([^<]*)</bdi></a>', html)]
