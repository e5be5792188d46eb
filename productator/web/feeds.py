"""Feeds and badges of products, at addresses that nobody can guess: readers of feeds cannot sign in.

The address has a digest with a key of this installation. With another key all addresses are other ones.
"""

import hmac
import re
from datetime import datetime
from typing import NamedTuple
from uuid import NAMESPACE_OID, NAMESPACE_URL, UUID, uuid5

from flask import Response, render_template, request
from sqlalchemy import Connection
from werkzeug.exceptions import NotFound

from productator.access import installation_keys
from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import tagged_content
from productator.catalogue import overview, products
from productator.database.web import reading, transaction
from productator.prices import price_changes
from productator.prices.price_changes import PriceChange
from productator.prices.segments import EPOCH
from productator.web.forms import check_form
from productator.web.pages import page, page_blueprint, require_admin, see
from productator.web.parsing import id_of
from productator.web.price_story import price_change_sentence

feeds = page_blueprint("feeds", is_open=True)
feed_of_all = page_blueprint("feed_of_all")

_KEY = "feeds"
_ENTRIES = 50
# Stands in the address where others have the number of a product.
_ALL = "all"
# No XML may have these characters, not even escaped; names may.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entry(NamedTuple):
    """A change of a lowest price; it has the same id in the product's feed and in that of all products."""

    id: UUID
    title: str
    at: datetime
    url: str


@feeds.get("/feeds/<string:secret>.atom")
def feed(secret: str) -> Response:
    """An entry for each change of the product's lowest price, or of those of all products."""
    if secret.partition("-")[0] == _ALL:
        return _feed_of_all(secret)
    with reading() as connection:
        product = products.get(connection, _product_of(connection, secret))
        changes = price_changes.latest(connection, product.id, limit=_ENTRIES)
    return _feed(
        uuid5(NAMESPACE_OID, product.remote_id),
        f"{product.name}: lowest price",
        address_of("product_page.show", product_id=product.id),
        [_entry(product.id, product.remote_id, each, price_change_sentence(each)) for each in changes],
        since=product.created_at,
    )


@feed_of_all.get("/feeds")
def show() -> Response:
    """The way from the pages to the feed of all products, whose address they need not know."""
    with reading() as connection:
        return see("feeds.feed", secret=secret_of(connection))


@feeds.get("/badges/<string:secret>.svg")
def badge(secret: str) -> Response:
    """The product's lowest price and its change over 30 days, for another site."""
    with reading() as connection:
        listed = overview.one(connection, _product_of(connection, secret))
    svg = _xml("badge.svg", product=listed)
    response = tagged_content(Response(svg, content_type="image/svg+xml; charset=utf-8"))
    # Other sites show it.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


@feeds.get("/feeds/revoke")
def confirm_revocation() -> Response:
    """Asks before the addresses are revoked; the page of the product that leads here is shown afterwards."""
    if to_sign_in := require_admin():
        return to_sign_in
    return page("feeds_revoke.html", product_id=id_of(request.args.get("product_id", "")))


@feeds.post("/feeds/revoke")
def revoke() -> Response:
    """Makes all addresses of feeds and badges invalid; their pages show new ones."""
    if to_sign_in := require_admin():
        return to_sign_in
    check_form()
    with transaction() as session:
        installation_keys.revoke(session.connection(), _KEY)
    product_id = id_of(request.form.get("product_id", ""))
    if product_id is None:
        return see("product_list.show", done="revoked")
    return see("product_page.show", product_id=product_id, done="revoked")


def secret_of(connection: Connection, product_id: int | None = None) -> str:
    """The part of the product's addresses that nobody can guess; without a product, that of all of them."""
    name = str(product_id or _ALL)
    key = installation_keys.find_or_make(connection, _KEY)
    return f"{name}-{hmac.new(key.encode(), name.encode(), 'sha256').hexdigest()[:40]}"


def _feed_of_all(secret: str) -> Response:
    with reading() as connection:
        if not _is_equal(secret, secret_of(connection)):
            raise NotFound
        found = price_changes.latest_of_all(connection, limit=_ENTRIES)
    page_url = address_of("product_list.show")
    entries = []
    for each in found:
        sentence = price_change_sentence(each.change)
        title = f"{each.name}: {sentence[0].lower()}{sentence[1:]}"
        entries.append(_entry(each.product_id, each.remote_id, each.change, title))
    return _feed(
        uuid5(NAMESPACE_URL, page_url), "Lowest prices of all products", page_url, entries, since=EPOCH
    )


def _entry(product_id: int, remote_id: str, change: PriceChange, title: str) -> Entry:
    identity = uuid5(NAMESPACE_OID, f"{remote_id} {change.at}")
    return Entry(identity, title, change.at, address_of("product_page.show", product_id=product_id))


def _feed(feed_id: UUID, title: str, page_url: str, entries: list[Entry], *, since: datetime) -> Response:
    xml = _xml(
        "feed.xml",
        feed_id=feed_id,
        title=title,
        entries=entries,
        updated=entries[0].at if entries else since,
        self_url=request.url,
        page_url=page_url,
    )
    return tagged_content(Response(xml, content_type="application/atom+xml; charset=utf-8"))


def _xml(template: str, **values: object) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", render_template(template, **values))


def _product_of(connection: Connection, secret: str) -> int:
    digits = secret.partition("-")[0]
    if digits.isascii() and digits.isdigit() and len(digits) < len(str(2**63)):
        product_id = int(digits)
        if product_id and _is_equal(secret, secret_of(connection, product_id)):
            return product_id
    raise NotFound


def _is_equal(sent: str, secret: str) -> bool:
    return hmac.compare_digest(sent.encode(), secret.encode())
