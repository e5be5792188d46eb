"""The page of one product: its price now and over time, its offers, and its last changes."""

from typing import Any

from flask import Response, request, url_for
from sqlalchemy import Connection

from productator.catalogue import cheapest_offers, offers, products
from productator.database.web import reading, reading_one_state
from productator.domain import ChangeKind, utc_now
from productator.operation import heartbeats
from productator.prices import offer_history, offer_lines
from productator.prices.figures import PriceFigures
from productator.prices.offer_history import LatestChange
from productator.prices.segments import microseconds
from productator.prices.summary import with_the_past
from productator.web.alert_pages import DONE as ALERTS_DONE
from productator.web.alert_pages import rules_of_product
from productator.web.feeds import secret_of
from productator.web.freshness import stale_since
from productator.web.pages import page, page_blueprint
from productator.web.parsing import Form
from productator.web.price_story import RANGE_NAMES, RANGES, fitting_range, price_range, range_until, standing

product_page = page_blueprint("product_page")

_CHANGES, _PAST_OFFERS = 12, 50
# A product may have thousands.
_OFFERS = 50
# As many lines as the style sheet has colours for.
_LINES = 6
# What a form that led here has done.
_DONE = {
    "refresh": "Fresh offers were asked for. They are here in about a second.",
    "created": "The product was added. Its first offers are here in about a second.",
    "created-before": "This form was sent before, and had added this product. Nothing was added again.",
    "changed": "The product was changed.",
    "offer": "Your offer was saved.",
    "offer-before": "This form was sent before, and had added this offer. Nothing was added again.",
    "offer-deleted": "Your offer was deleted.",
    "revoked": "The addresses of all feeds and badges were revoked. This page has the new ones.",
} | ALERTS_DONE
_DONE_WHILE_DOWN = {
    "refresh": "Fresh offers were asked for. They come when the Offers service is up again: it is down.",
    "created": "The product was added. Its first offers come when the Offers service is up again.",
}


@product_page.get("/products/<id:product_id>")
def show(product_id: int) -> Response:
    """A product with its prices and offers."""
    return product_response(product_id)


def product_response(product_id: int, *, status: int = 200, **values: Any) -> Response:
    """The page of the product; a form on it that was refused is shown again with what was typed."""
    now = utc_now()
    asked = request.args.get("range", "")
    shows_past, shows_all = bool(request.args.get("past")), bool(request.args.get("all"))
    with reading() as connection:  # not below: a new key would be rolled back with what was read
        secret = secret_of(connection, product_id)
    with reading_one_state() as connection:
        product = products.get(connection, product_id)
        shown_offers = cheapest_offers.cheapest(connection, product_id, limit=None if shows_all else _OFFERS)
        edited_id, _ = values.get("edited_offer") or (None, None)
        if edited_id is not None and edited_id not in {each.id for each in shown_offers}:
            # What was typed is shown, however dear the offer is.
            shown_offers.append(offers.get(connection, product_id, edited_id))
        count = cheapest_offers.count(connection, product_id)
        state = products.refresh_state(connection, product_id)
        range_name = asked if asked in RANGES else fitting_range(now - product.created_at)
        within = range_until(microseconds(now), range_name)
        figures = PriceFigures(connection, product_id, days_of=with_the_past(within))
        history = figures.detailed_history(within)
        summary = figures.summary(within.end)
        lines = offer_lines.lines(
            connection,
            product_id,
            [each.id for each in shown_offers[:_LINES]] if request.args.get("lines") else (),
            within,
        )
        changes = offer_history.latest(connection, product_id, limit=_CHANGES)
        past = _past_offers(connection, product_id) if shows_past else None
        alert_rules = rules_of_product(connection, product_id)
        down_since = heartbeats.down_since(heartbeats.read(connection), now=now)
    return page(
        "product.html",
        status=status,
        product=product,
        offers=shown_offers,
        count=count,
        state=state,
        is_stale=state.refreshed_at is not None and state.refreshed_at <= stale_since(),
        summary=summary,
        standing=standing(summary),
        shown=price_range(range_name, within, history, lines),
        range_names=RANGE_NAMES,
        changes=changes,
        past=past,
        alert_rules=alert_rules,
        now=now,
        secret=secret,
        is_expected=state.is_expected(now=now),
        down_since=down_since,
        done=_done(is_down=down_since is not None),
        address_with=lambda **over: _address_with(product_id, over),
        **({"new_offer": Form(), "edited_offer": None} | values),
    )


def _done(*, is_down: bool) -> str | None:
    done = request.args.get("done", "")
    return (_DONE_WHILE_DOWN.get(done) if is_down else None) or _DONE.get(done)


def _past_offers(connection: Connection, product_id: int) -> list[LatestChange]:
    return offer_history.latest(connection, product_id, limit=_PAST_OFFERS, kind=ChangeKind.REMOVED)


def _address_with(product_id: int, over: dict[str, str | None]) -> str:
    """The same page with other parameters."""
    kept = {name: request.args.get(name) for name in ("range", "lines", "past", "all")} | over
    given: dict[str, Any] = {name: value for name, value in kept.items() if value}
    return url_for("product_page.show", product_id=product_id, **given)
