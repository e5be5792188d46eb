"""What holds for every page: headers, files, errors, and valid HTML."""

import json
from typing import Any

import html5lib
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from lab import made_up_alerts
from productator.access import api_tokens
from productator.app import create_app
from productator.domain import Scope, utc_now
from productator.models import AlertRule, Channel
from productator.web import alert_delivery_pages, alert_pages
from productator.web.static_files import static_text
from tests import factories
from tests.api.checks import failure, problem
from tests.servers import dispose_of
from tests.web.browser import send_form, sign_in
from tests.web.pages import BROWSER, get

Json = dict[str, Any]
PATHS = [
    "/",
    "/?q=nothing&in_stock=1",
    "/products/new",
    "/products/{id}",
    "/products/{id}?range=all&past=1",
    "/products/{id}/edit",
    "/products/{id}/delete",
    "/feeds/revoke?product_id={id}",
    "/alerts",
    "/alerts/new",
    "/alerts/new?product_id={id}",
    "/alerts/events",
    "/alerts/channels",
    "/alerts/channels/new",
    "/alerts/deliveries",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_valid_html(client: FlaskClient, product: Json, offer: Json, path: str) -> None:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)

    parser.parse(get(client, path.format(**product)))


@pytest.mark.parametrize(
    "path",
    ["/", "/products/{id}", "/alerts", "/alerts/events", "/alerts/channels", "/alerts/deliveries"]
    + ["/alerts/{rule}/edit", "/alerts/{rule}/delete"]
    + [f"/alerts/channels/{{channel}}/{action}" for action in ("edit", "delete")],
)
def test_pages_full_of_alerts_are_valid_html(
    client: FlaskClient, product: Json, sessions: sessionmaker[Session], path: str
) -> None:
    with sessions.begin() as session:
        made_up_alerts.add(session, now=utc_now())
        ids = {"rule": session.scalar(select(func.max(AlertRule.id)))}
        ids |= {"channel": session.scalar(select(func.min(Channel.id)))}
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)

    parser.parse(get(client, path.format(**product, **ids)))


@pytest.mark.parametrize(
    "path",
    ["/", "/products/{id}", "/system", "/alerts", "/alerts/events", "/alerts/channels", "/alerts/deliveries"],
)
def test_the_part_that_is_fetched_again_can_be_shown_alone(
    client: FlaskClient, product: Json, sessions: sessionmaker[Session], monkeypatch: Any, path: str
) -> None:
    """On a page of a list that has more of them, with the way to the next one."""
    with sessions.begin() as session:
        made_up_alerts.add(session, now=utc_now())
    for module in (alert_pages, alert_delivery_pages):
        monkeypatch.setattr(module, "A_PAGE", 1)
    whole = get(client, path.format(**product))
    part = client.get(path.format(**product), headers=BROWSER | {"X-Page-Part": "live"})

    assert part.status_code == 200
    assert 0 < len(part.text) < len(whole)
    assert ('class="pager"' in part.text) == ('class="pager"' in whole)


def test_a_part_that_has_not_changed_is_not_sent_again_for_the_keys_of_its_forms(
    client: FlaskClient, product: Json
) -> None:
    path, headers = f"/products/{product['id']}", {"X-Page-Part": "live"}
    first = client.get(path, headers=headers)
    assert 'name="form_key"' in first.text

    again = client.get(path, headers=headers | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", PATHS)
def test_a_page_without_such_a_part_is_shown_whole(client: FlaskClient, product: Json, path: str) -> None:
    assert client.get(path.format(**product), headers={"X-Page-Part": "live"}).status_code == 200


def test_the_script_is_led_to_the_sign_in_when_the_session_has_ended(guarded: Any) -> None:
    answer = guarded("all").get("/", headers={"X-Page-Part": "live"}, follow_redirects=True)

    assert answer.status_code == 200
    assert "<title>Sign in" in answer.text


@pytest.mark.parametrize("path", [*PATHS, "/nowhere"])
def test_every_page_forbids_what_it_does_not_need(client: FlaskClient, product: Json, path: str) -> None:
    response = client.get(path.format(**product), headers=BROWSER)

    assert response.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert " style=" not in response.text
    assert "<script>" not in response.text
    assert {"Cookie", "Accept-Language", "X-Page-Part"} <= set(response.vary)


def test_a_browser_gets_an_error_as_a_page_and_a_client_as_a_problem(client: FlaskClient) -> None:
    assert "There is nothing at this address" in get(client, "/nowhere", status=404)
    problem(client.get("/nowhere"), 404)
    problem(client.get("/api/v1/nowhere", headers=BROWSER), 404)
    problem(client.get("/products/77", headers=BROWSER | {"X-Page-Part": "live"}), 404)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/products", "/"),
        ("/products/2/offers", "/products/2"),
        ("/products/2/offers/7", "/products/2"),
        ("/products/2/refresh", "/products/2"),
        ("/alerts/3/mute", "/alerts"),
        ("/alerts/channels/3/rotate-secret", "/alerts/channels"),
        ("/logout", "/"),
    ],
)
def test_the_address_of_a_form_that_is_opened_by_hand_leads_to_its_page(
    client: FlaskClient, path: str, page: str
) -> None:
    answer = client.get(path, headers=BROWSER)

    assert (answer.status_code, answer.headers["Location"]) == (302, page)
    problem(client.get(path), 405)


def test_browsers_keep_what_is_typed_into_forms_except_secrets(client: FlaskClient, product: Json) -> None:
    for path in (f"/products/{product['id']}", "/alerts/new"):
        assert 'autocomplete="off"' not in get(client, path)
    assert get(client, "/alerts/channels/new").count('autocomplete="off"') == len(["address", "secret"])


def test_a_database_that_is_away_is_told_and_tried_again(client: FlaskClient, monkeypatch: Any) -> None:
    def lost(*_: object, **__: object) -> None:
        raise failure(2003)

    monkeypatch.setattr("productator.web.product_list.overview.page", lost)
    response = client.get("/", headers=BROWSER)

    assert response.status_code == 503
    assert "The database is away" in response.text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in response.text
    assert "Sign in" not in response.text
    assert response.headers["Retry-After"]


def test_a_database_that_nothing_reaches_is_told_on_every_page(guarded: Any, monkeypatch: Any) -> None:
    """The frame of a page must not ask it either, whoever is looking."""

    def lost(*_: object, **__: object) -> None:
        raise failure(2003)

    client = guarded("off")
    monkeypatch.setattr("sqlalchemy.engine.Engine.connect", lost)
    for path in ("/", "/products/1", "/system", "/alerts", "/alerts/channels", "/tokens", "/products.csv"):
        response = client.get(path, headers=BROWSER)

        assert response.status_code == 503, path
        assert "The database is away" in response.text
    assert "There is nothing at this address" in get(client, "/nowhere", status=404)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 503), ("GET", "/nowhere", 404), ("POST", "/", 405)]
)
def test_without_a_database_browsers_get_errors_as_pages(method: str, path: str, status: int) -> None:
    app = create_app(factories.settings(database_url="mysql+pymysql://root@127.0.0.1:1/test"))
    response = app.test_client().open(path, method=method, headers=BROWSER)
    dispose_of(app)

    assert response.status_code == status
    assert response.content_type == "text/html; charset=utf-8"
    assert ("The database is away" in response.text) == (status == 503)


def test_a_form_that_met_no_database_is_neither_sent_again_nor_loaded_anew(
    client: FlaskClient, monkeypatch: Any
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise failure(2003)

    monkeypatch.setattr("productator.web.product_forms.products.create", lost)
    answer = send_form(client, "/products/new", "/products", headers=BROWSER, name="Cup")

    assert answer.status_code == 503
    assert "The database is away" in answer.text
    assert "it keeps what you typed" in answer.text
    assert "data-try-again" not in answer.text
    assert "http-equiv" not in answer.text


def test_a_page_that_is_not_there_knows_its_viewer(guarded: Any, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        _, secret = api_tokens.create(
            session, name="Eva", scopes=[Scope.WRITE], expires_at=None, now=utc_now()
        )
    viewer, nobody = guarded("write"), guarded("off")
    sign_in(viewer, secret)

    assert "Sign out" in get(viewer, "/nowhere", status=404)
    assert "Sign in" not in get(nobody, "/nowhere", status=404)


def test_a_page_that_is_not_there_is_one_for_a_viewer_whose_session_cannot_be_read(
    guarded: Any, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = guarded("write")
    sign_in(viewer, factories.token(sessions, "write")[1])

    def lost(*_: object, **__: object) -> None:
        raise failure(2003)

    monkeypatch.setattr("productator.web.viewer.sessions.find", lost)

    assert "There is nothing at this address" in get(viewer, "/nowhere", status=404)
    assert "The database is away" in get(viewer, "/", status=503)


def test_files_are_kept_for_ever_under_the_digest_of_their_content(client: FlaskClient) -> None:
    page = get(client, "/")
    address = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})

    assert "immutable" in packed.headers["Cache-Control"]
    assert packed.headers["Content-Encoding"] == "gzip"
    assert client.get(address).text == static_text("style.css")
    assert client.get("/static/pages.py").status_code == 404


def test_the_script_is_small_and_asks_no_other_host() -> None:
    script, style = static_text("pages.js"), static_text("style.css")

    assert len(script.encode()) <= 12 * 1024
    assert "http" not in script
    assert "url(" not in style


def test_a_first_visit_is_small(client: FlaskClient) -> None:
    for number in range(50):
        factories.posted_offer(
            client, factories.posted_product(client, name=f"Product number {number}")["id"]
        )
    page = len(get(client, "/").encode())
    packed = sum(
        len(client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"}).data)
        for name in ("style.css", "pages.js", "icon.svg")
    )

    assert page + packed < 60_000


def test_addresses_have_the_prefix_that_a_proxy_puts_before_ours(guarded: Any) -> None:
    client = guarded("off", public_url="https://shop.example/prices")
    factories.posted_product(client)
    html = get(client, "/")

    for address in ('href="/prices/"', 'href="/prices/static/style.css?v=', 'action="/prices/"'):
        assert address in html


def test_the_documents_of_the_api_leave_pages_out(client: FlaskClient) -> None:
    assert "/products/{id}/edit" not in json.loads(client.get("/openapi.json").text)["paths"]


def test_an_unknown_address_differs_by_what_the_caller_accepts(client: FlaskClient) -> None:
    page, problem = (client.get("/nope", headers={"Accept": each}) for each in ("text/html", "*/*"))

    assert (page.mimetype, problem.mimetype) == ("text/html", "application/problem+json")
    assert "Accept" in page.vary
    assert "Accept" in problem.vary
    assert "Accept" not in client.get("/api/v1/nope").vary
