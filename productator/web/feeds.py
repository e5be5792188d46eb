"""Feeds and badges of products, at addresses that nobody can guess: readers of feeds cannot sign in.

The address has a digest with a key of this installation. With another key all addresses are other ones.
"""

import hmac
from uuid import NAMESPACE_OID, uuid5

from flask import Response, render_template, request
from sqlalchemy import Connection, delete
from werkzeug.exceptions import NotFound

from productator.access import installation_keys
from productator.api.conventions.addresses import address_of
from productator.api.conventions.conditional import tagged_content
from productator.catalogue import overview, products
from productator.database.web import reading, transaction
from productator.domain import Scope
from productator.errors import ScopeMissing
from productator.models import InstallationKey
from productator.prices import price_changes
from productator.web.pages import page_blueprint, require_writer, see
from productator.web.viewer import current_viewer

feeds = page_blueprint("feeds", is_open=True)

_KEY = "feeds"
_ENTRIES = 50


@feeds.get("/feeds/<string:secret>.atom")
def feed(secret: str) -> Response:
    """An entry for each change of the product's lowest price."""
    with reading() as connection:
        product = products.get(connection, _product_of(connection, secret))
        changes = price_changes.latest(connection, product.id, limit=_ENTRIES)
    xml = render_template(
        "feed.xml",
        product=product,
        feed_id=uuid5(NAMESPACE_OID, product.remote_id),
        entries=[(uuid5(NAMESPACE_OID, f"{product.remote_id} {each.at}"), each) for each in changes],
        updated=changes[0].at if changes else product.created_at,
        self_url=request.url,
        page_url=address_of("product_page.show", product_id=product.id),
    )
    return tagged_content(Response(xml, content_type="application/atom+xml; charset=utf-8"))


@feeds.get("/badges/<string:secret>.svg")
def badge(secret: str) -> Response:
    """The product's lowest price and its change over 30 days, for another site."""
    with reading() as connection:
        listed = overview.one(connection, _product_of(connection, secret))
    svg = render_template("badge.svg", product=listed)
    response = tagged_content(Response(svg, content_type="image/svg+xml; charset=utf-8"))
    # Other sites show it.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


@feeds.post("/feeds/revoke")
def revoke() -> Response:
    """Makes all addresses of feeds and badges invalid; their pages show new ones."""
    require_writer()
    if not current_viewer().may_admin:
        raise ScopeMissing(Scope.ADMIN)
    with transaction() as session:
        session.execute(delete(InstallationKey).where(InstallationKey.name == _KEY))
    return see("product_list.show")


def secret_of(connection: Connection, product_id: int) -> str:
    """The part of the product's addresses that nobody can guess."""
    key = installation_keys.find_or_make(connection, _KEY)
    return f"{product_id}-{hmac.new(key.encode(), str(product_id).encode(), 'sha256').hexdigest()[:40]}"


def _product_of(connection: Connection, secret: str) -> int:
    digits = secret.partition("-")[0]
    if digits.isascii() and digits.isdigit() and len(digits) < len(str(2**63)):
        product_id = int(digits)
        if hmac.compare_digest(secret_of(connection, product_id).encode(), secret.encode()):
            return product_id
    raise NotFound
