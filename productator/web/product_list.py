"""The first page: all products with their prices, and how old those are."""

from typing import Any, NamedTuple

from flask import Response, request, url_for

from productator.api.conventions.cursors import next_url_of, position_of
from productator.catalogue import overview
from productator.catalogue.overview import ListedProduct, Wanted
from productator.catalogue.validation import storable
from productator.database.web import reading
from productator.domain import NAME_LENGTH
from productator.web.freshness import stale_since
from productator.web.pages import page, page_blueprint

product_list = page_blueprint("product_list")

_PAGE = 50
_DEFAULT_SORT = "name"
SORTS = {
    "name": "Name",
    "change": "Fell most",
    "-change": "Rose most",
    "price": "Cheapest",
    "-price": "Dearest",
    "-id": "Newest",
}
FILTERS = {
    "in_stock": "In stock",
    "stale": "Old prices",
    "at_low": "At 30-day low",
    "has_alert": "With an alert",
}
# What a form that led here has done.
_DONE = {
    "deleted": "The product was deleted, with its offers, its price history and its alert rules.",
    "revoked": "The addresses of all feeds and badges were revoked. The pages of products have the new ones.",
}


class ProductListQuery(NamedTuple):
    """What the address asks for; anything unknown in it counts as not given."""

    text: str
    sort: str
    filters: tuple[str, ...]

    @classmethod
    def current(cls) -> "ProductListQuery":
        sort = request.args.get("sort", "")
        text = storable(request.args.get("q", "").replace("\0", "")[:NAME_LENGTH])
        filters = tuple(name for name in FILTERS if request.args.get(name))
        return cls(text, sort if sort in overview.ORDERS else _DEFAULT_SORT, filters)

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            text=self.text,
            in_stock="in_stock" in self.filters,
            at_low="at_low" in self.filters,
            stale_since=stale_since() if "stale" in self.filters else None,
            has_alert="has_alert" in self.filters,
        )

    def address(self, endpoint: str, **over: str) -> str:
        given: dict[str, Any] = {"q": self.text, "sort": self.sort} | dict.fromkeys(self.filters, "1") | over
        if given["sort"] == _DEFAULT_SORT:
            del given["sort"]
        return url_for(endpoint, **{name: value for name, value in given.items() if value})

    def sorted_by(self, key: str) -> tuple[str, str]:
        """Where a click on the column's heading leads, and how the column is sorted now."""
        if self.sort == key:
            return self.address("product_list.show", sort=f"-{key}"), "ascending"
        direction = "descending" if self.sort == f"-{key}" else ""
        return self.address("product_list.show", sort=key), direction


@product_list.get("/")
def show() -> Response:
    """All products, with their prices."""
    asked = ProductListQuery.current()
    order = overview.ORDERS[asked.sort]
    position = position_of(request.args.get("cursor"), order)
    with reading() as connection:
        found = overview.page(connection, asked.wanted, sort=asked.sort, limit=_PAGE, position=position)
    since = stale_since()
    return page(
        "products.html",
        asked=asked,
        products=found.rows,
        stale={each.id for each in found.rows if _is_stale(each) and (each.refreshed_at or since) <= since},
        next_url=next_url_of(found.position) if found.position else None,
        is_first_page=position is None,
        filters=FILTERS,
        sorts=SORTS,
        done=_DONE.get(request.args.get("done", "")),
        without_price=asked.sort in overview.BY_PRICE,
    )


def _is_stale(product: ListedProduct) -> bool:
    """A new product is not old yet: it waits for its registration."""
    return product.is_registered or product.failures > 0
