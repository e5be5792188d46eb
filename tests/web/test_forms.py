"""Forms: each works without script, says what is wrong, and loses nothing of what was typed."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests import factories
from tests.api.checks import PRODUCTS, offer_url, offers_url
from tests.web.alerts import posted_rule
from tests.web.pages import BROWSER, get

Json = dict[str, Any]


def post(client: FlaskClient, path: str, *, language: str = "en", **fields: str) -> TestResponse:
    token = client.get("/products/new", headers=BROWSER).text.partition('name="form_token" value="')[2]
    fields |= {"form_token": token.partition('"')[0]} if token else {}
    return client.post(
        path, data=fields, headers={**BROWSER, "Origin": "http://localhost", "Accept-Language": language}
    )


def test_a_product_is_created_and_shown(client: FlaskClient) -> None:
    response = post(client, "/products", name=" Hand mill ", description="one\r\ntwo")
    assert response.status_code == 303
    shown = get(client, response.location)

    assert "Hand mill" in shown
    assert "The product was added." in shown
    assert client.get(PRODUCTS).get_json()["items"][0]["description"] == "one\ntwo"
    assert client.get(PRODUCTS).get_json()["items"][0]["name"] == "Hand mill"


def test_a_form_that_is_sent_again_adds_no_second_product(client: FlaskClient) -> None:
    """It tells so, and shows the product; with another name it is another product."""
    key = get(client, "/products/new").partition('name="form_key" value="')[2].partition('"')[0]
    first, again = (post(client, "/products", name="Mill", description="", form_key=key) for _ in range(2))
    other = post(client, "/products", name="Bowl", description="", form_key=key)

    assert key
    assert [each["name"] for each in client.get(PRODUCTS).get_json()["items"]] == ["Mill", "Bowl"]
    assert first.location.partition("?")[0] == again.location.partition("?")[0]
    assert "Nothing was added again." in get(client, again.location)
    assert "The product was added." in get(client, other.location)


def test_a_product_without_a_name_is_refused_with_what_was_typed(client: FlaskClient) -> None:
    response = post(client, "/products", name=" ", description="<b>kept</b>")

    assert response.status_code == 422
    assert 'id="wrong-name"' in response.text
    assert "&lt;b&gt;kept&lt;/b&gt;</textarea>" in response.text


def test_a_product_is_changed(client: FlaskClient, product: Json) -> None:
    response = post(client, f"/products/{product['id']}/edit", name="Mill", description="", version="1")

    assert response.status_code == 303
    assert client.get(f"{PRODUCTS}/{product['id']}").get_json()["name"] == "Mill"


def test_a_stale_form_shows_both_versions_and_saves_over_the_other_when_sent_again(
    client: FlaskClient, product: Json
) -> None:
    client.patch(f"{PRODUCTS}/{product['id']}", json={"name": "Theirs"})
    path = f"/products/{product['id']}/edit"
    refused = post(client, path, name="Mine", description="mine too", version="1")
    assert refused.status_code == 409
    assert client.get(f"{PRODUCTS}/{product['id']}").get_json()["name"] == "Theirs"
    assert "<dd><bdi>Theirs</bdi></dd>" in refused.text
    assert 'value="Mine"' in refused.text
    assert "mine too</textarea>" in refused.text
    assert 'name="version" value="2"' in refused.text

    assert post(client, path, name="Mine", description="mine too", version="2").status_code == 303
    assert client.get(f"{PRODUCTS}/{product['id']}").get_json()["name"] == "Mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40])
def test_a_form_without_a_usable_version_counts_as_stale(
    client: FlaskClient, product: Json, version: str
) -> None:
    response = post(client, f"/products/{product['id']}/edit", name="Mine", description="", version=version)

    assert response.status_code == 409


def test_a_product_is_deleted_after_a_question(client: FlaskClient, product: Json) -> None:
    path = f"/products/{product['id']}/delete"
    assert "This cannot be undone" in get(client, path)
    assert client.get(f"{PRODUCTS}/{product['id']}").status_code == 200
    response = post(client, path)

    assert response.status_code == 303
    assert "The product was deleted" in get(client, response.location)
    assert client.get(f"{PRODUCTS}/{product['id']}").status_code == 404


def test_the_question_before_a_deletion_names_the_alert_rules_of_the_product(
    client: FlaskClient, product: Json
) -> None:
    path = f"/products/{product['id']}/delete"
    assert "alert rule" not in get(client, path)
    for price in (80, 90):
        posted_rule(client, kind="threshold", product_id=product["id"], price=price)

    assert "all of its price history and its 2 alert rules go with it" in get(client, path)


def test_an_own_offer_is_deleted_after_a_question(client: FlaskClient, product: Json, offer: Json) -> None:
    page = f"/products/{product['id']}"
    path = f"{page}/offers/{offer['id']}/delete"
    assert f'href="{path}"' in get(client, page)
    assert f'formaction="{path}"' not in get(client, page)
    asked = get(client, path)

    assert f"Delete your offer {offer['id']} of “<bdi>{product['name']}</bdi>”?" in asked
    assert 'name="version" value="1"' in asked
    assert client.get(offer_url(offer)).status_code == 200


def test_no_question_is_asked_about_an_offer_of_the_service(
    client: FlaskClient, sessions: Any, product: Json
) -> None:
    offer_id = factories.external_offer(sessions, product["id"])

    get(client, f"/products/{product['id']}/offers/{offer_id}/delete", status=409)


def test_a_refresh_is_asked_for(client: FlaskClient, product: Json) -> None:
    response = post(client, f"/products/{product['id']}/refresh")

    assert response.status_code == 303
    assert "Fresh offers were asked for" in get(client, response.location)


def test_an_own_offer_is_added_changed_and_deleted(client: FlaskClient, product: Json) -> None:
    path = f"/products/{product['id']}/offers"
    assert post(client, path, price="1 299", items_in_stock="3").status_code == 303
    offer = client.get(offers_url(product)).get_json()["items"][0]
    assert (offer["price"], offer["items_in_stock"]) == (1_299, 3)
    one = f"{path}/{offer['id']}"
    assert post(client, one, price="1200", items_in_stock="2", version="1").status_code == 303
    assert client.get(offer_url(offer)).get_json()["price"] == 1_200
    assert post(client, f"{one}/delete", version="2").status_code == 303

    assert client.get(offers_url(product)).get_json()["items"] == []


def test_a_form_that_is_sent_again_adds_no_second_offer(client: FlaskClient, product: Json) -> None:
    path = f"/products/{product['id']}/offers"
    assert 'name="form_key"' in get(client, f"/products/{product['id']}")
    _, again = (post(client, path, price="90", items_in_stock="3", form_key="k") for _ in range(2))
    post(client, path, price="80", items_in_stock="3", form_key="k")

    assert "Nothing was added again." in get(client, again.location)
    assert [each["price"] for each in client.get(offers_url(product)).get_json()["items"]] == [90, 80]


@pytest.mark.parametrize(
    ("path", "fields", "focused"),
    [
        ("/products", {"name": ""}, "name"),
        ("/products/{id}/offers", {"price": "x", "items_in_stock": "y"}, "price"),
        ("/products/{id}/offers", {"price": "1", "items_in_stock": "y"}, "items_in_stock"),
        ("/alerts", {"about": "all", "kind": "threshold", "price": "x", "cooldown_h": "-1"}, "price"),
        ("/alerts", {"kind": "stale"}, "about"),
        ("/alerts/channels", {"name": "Ops", "kind": "slack", "messages_an_hour": "0"}, "address"),
        ("/tokens", {"name": ""}, "name"),
    ],
)
def test_the_first_wrong_field_has_the_focus(
    guarded: Any, product: Json, path: str, fields: Json, focused: str
) -> None:
    response = post(guarded("off"), path.format(**product), **fields)

    assert response.status_code == 422
    assert re.findall('<[^>]* name="([^"]+)"[^>]* autofocus', response.text) == [focused]


@pytest.mark.parametrize("price", ["", "x", "-5", "1.5", "1e3", "9" * 17, "NaN"])
def test_a_price_that_is_no_whole_number_is_refused_with_what_was_typed(
    client: FlaskClient, product: Json, price: str
) -> None:
    response = post(client, f"/products/{product['id']}/offers", price=price, items_in_stock="3")

    assert response.status_code == 422
    assert f'value="{price}"' in response.text
    assert 'id="wrong-new-price"' in response.text


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("", "Enter a number."),
        ("cheap", "Must be a number in digits."),
        ("-5", "Must be 0 or more."),
        ("1.234", "Must have at most 2 decimals."),
        ("9" * 20, "Is too large: enter at most 90,071,992,547,409."),
        # Read in one look: a pattern that tries every way to divide the zeros would take half an hour.
        ("0" * 400_000 + "x", "Must be a number in digits."),
        ("1." + "0" * 400_000 + "x", "Must be a number in digits."),
    ],
)
def test_what_is_wrong_with_a_price_is_said(guarded: Any, price: str, said: str) -> None:
    client = guarded("off", price_decimals=2)
    product = client.post(PRODUCTS, json={"name": "Mill"}).get_json()
    response = post(client, f"/products/{product['id']}/offers", price=price, items_in_stock="3")

    assert said in response.text


def test_a_wrong_price_of_an_offer_below_the_shown_ones_is_refused_with_what_was_typed(
    client: FlaskClient, sessions: Any, product: Json
) -> None:
    factories.external_offers(sessions, product["id"], count=60)
    offer = factories.posted_offer(client, product["id"], price=5_000)
    one = f"/products/{product['id']}/offers/{offer['id']}"
    response = post(client, one, price="49 x", items_in_stock="3", version="1")

    assert response.status_code == 422
    assert 'value="49 x"' in response.text
    assert f'id="wrong-price-{offer["id"]}"' in response.text
    assert post(client, f"{one}77", price="49 x", items_in_stock="3", version="1").status_code == 404


@pytest.mark.parametrize(("typed", "stored"), [("12.99", 1299), ("12,9", 1290), ("1\u202f000", 100_000)])
def test_decimals_are_read_as_the_settings_say(guarded: Any, typed: str, stored: int) -> None:
    client = guarded("off", price_decimals=2)
    product = client.post(PRODUCTS, json={"name": "Mill"}).get_json()
    post(client, f"/products/{product['id']}/offers", price=typed, items_in_stock="3")

    assert client.get(offers_url(product)).get_json()["items"][0]["price"] == stored


@pytest.mark.parametrize(
    ("language", "decimals", "typed", "stored"),
    [
        ("en", 0, "2,374", 2_374),
        ("en", 0, "1,002,374", 1_002_374),
        ("en", 2, "2,374.50", 237_450),
        ("de", 0, "2.374", 2_374),
        ("de", 2, "2.374,50", 237_450),
        ("cs", 0, "2\u202f374", 2_374),
        ("en", 3, "2,374", 2_374_000),
        ("en", 3, "2,374.5", 2_374_500),
        ("fr", 3, "2,374", 2_374),
        # Fields are filled with a point before the decimals.
        ("de", 3, "2.374", 2_374),
        ("de", 2, "23.74", 2_374),
        ("en", 2, "00023.7400", 2_374),
    ],
)
def test_a_price_is_taken_as_the_page_shows_it(
    guarded: Any, language: str, decimals: int, typed: str, stored: int
) -> None:
    client = guarded("off", price_decimals=decimals)
    product = client.post(PRODUCTS, json={"name": "Mill"}).get_json()
    path = f"/products/{product['id']}/offers"
    sent = post(client, path, language=language, price=typed, items_in_stock="3")

    assert sent.status_code == 303, sent.text
    assert client.get(offers_url(product)).get_json()["items"][0]["price"] == stored


@pytest.mark.parametrize(
    ("language", "typed"), [("de", "2,374"), ("en", "2.374"), ("en", "23,74"), ("de", "0.005")]
)
def test_a_separator_that_the_reader_uses_for_decimals_separates_no_thousands(
    client: FlaskClient, product: Json, language: str, typed: str
) -> None:
    path = f"/products/{product['id']}/offers"
    sent = post(client, path, language=language, price=typed, items_in_stock="3")

    assert sent.status_code == 422


def test_a_stale_offer_shows_both_versions(client: FlaskClient, product: Json, offer: Json) -> None:
    client.patch(offer_url(offer), json={"price": 90})
    one = f"/products/{product['id']}/offers/{offer['id']}"
    refused = post(client, one, price="80", items_in_stock="2", version="1")
    assert refused.status_code == 409
    assert "<dd>90</dd>" in refused.text
    assert 'value="80"' in refused.text
    assert post(client, f"{one}/delete", version="1").status_code == 409

    assert client.get(offer_url(offer)).get_json()["price"] == 90


def test_an_offer_of_the_service_is_not_changed(client: FlaskClient, sessions: Any, product: Json) -> None:
    offer_id = factories.external_offer(sessions, product["id"])
    response = post(
        client, f"/products/{product['id']}/offers/{offer_id}", price="1", items_in_stock="1", version="1"
    )

    assert response.status_code == 409


def test_forms_of_what_is_gone_lead_to_a_page_that_says_so(client: FlaskClient) -> None:
    for path in ("edit", "delete", "refresh"):
        assert post(client, f"/products/77/{path}", name="x", version="1").status_code == 404
