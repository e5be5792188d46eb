"""What every route takes and answers; the document is made of this table and the routes themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from productator.api.conventions import problem_types
from productator.api.conventions.parsing import JSON_TYPES, PATCH_TYPES
from productator.api.conventions.problem_types import Kind
from productator.api.openapi import examples
from productator.api.openapi import prices as price_examples
from productator.api.resources.offer_history import OfferChangesQuery
from productator.api.resources.prices import PriceHistoryQuery, PriceRangeQuery
from productator.api.schemas import (
    OfferIn,
    OfferPatch,
    OffersQuery,
    ProductBatch,
    ProductOffersQuery,
    ProductPatch,
    ProductsQuery,
)
from productator.catalogue.validation import ProductIn


@dataclass(frozen=True)
class Body:
    model: type[BaseModel]
    example: Any
    types: tuple[str, ...] = JSON_TYPES


@dataclass(frozen=True)
class Answer:
    """The answer to a request that succeeds; `schema` names a component."""

    schema: str | None
    example: Any = None
    status: int = 200
    headers: tuple[str, ...] = ()
    media_type: str = "application/json"
    examples: Mapping[str, Any] | None = None  # by name, where one would not show it


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What follows from these (the problems of a body, say) is worked out in `document.py`."""

    summary: str
    tag: str
    answer: Answer
    query: type[BaseModel] | None = None
    body: Body | None = None
    conditional: Literal["read", "change", "once"] | None = None
    problems: tuple[Kind, ...] = ()


_TAGGED = ("ETag",)
_LISTED = ("ETag", "Link")
_CREATED = ("ETag", "Location")
_PRODUCT = Answer("Product", examples.PRODUCT, headers=_TAGGED)
_OFFER = Answer("Offer", examples.OWN_OFFER, headers=_TAGGED)
_CHANGES = Answer("OfferChangePage", examples.OFFER_CHANGES, headers=_LISTED)
_DELETED = Answer(None, status=204)
_KEPT = ("ETag", "Cache-Control", "X-Content-Type-Options")
_A_PAGE = Answer(
    "Html", "<!doctype html>", headers=(*_KEPT, "Content-Security-Policy"), media_type="text/html"
)

# By endpoint: the name of the blueprint, and of the view.
OPERATIONS: dict[str, Operation] = {
    "products.list_products": Operation(
        summary="List products",
        tag="Products",
        query=ProductsQuery,
        conditional="read",
        answer=Answer("ProductPage", examples.PRODUCTS, headers=_LISTED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.create_product": Operation(
        summary="Create a product",
        tag="Products",
        body=Body(ProductIn, examples.PRODUCT_BODY),
        conditional="once",
        answer=Answer("Product", examples.PENDING_PRODUCT, 201, _CREATED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.create_products": Operation(
        summary="Create many products",
        tag="Products",
        body=Body(ProductBatch, examples.BATCH_BODY),
        conditional="once",
        answer=Answer("BatchAnswer", examples.BATCH_ANSWER, 207),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.get_product": Operation(
        summary="Read a product",
        tag="Products",
        conditional="read",
        answer=_PRODUCT,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.replace_product": Operation(
        summary="Replace a product's name and description",
        tag="Products",
        body=Body(ProductIn, examples.PRODUCT_BODY),
        conditional="change",
        answer=_PRODUCT,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.patch_product": Operation(
        summary="Change fields of a product",
        tag="Products",
        body=Body(ProductPatch, examples.PRODUCT_PATCH, PATCH_TYPES),
        conditional="change",
        answer=Answer("Product", examples.PRODUCT | examples.PRODUCT_PATCH, headers=_TAGGED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.delete_product": Operation(
        summary="Delete a product",
        tag="Products",
        conditional="change",
        answer=_DELETED,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "products.refresh_product": Operation(
        summary="Refresh a product now",
        tag="Products",
        conditional="once",
        answer=Answer("Refresh", examples.REFRESH, 202),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "offers.list_offers_of_product": Operation(
        summary="List a product's offers",
        tag="Offers",
        query=ProductOffersQuery,
        conditional="read",
        answer=Answer("ProductOffers", examples.PRODUCT_OFFERS, headers=_TAGGED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "offers.create_offer": Operation(
        summary="Add an own offer",
        tag="Offers",
        body=Body(OfferIn, examples.OFFER_BODY),
        conditional="once",
        answer=Answer("Offer", examples.OWN_OFFER, 201, _CREATED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "offers.get_offer": Operation(
        summary="Read an offer",
        tag="Offers",
        conditional="read",
        answer=_OFFER,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "offers.replace_offer": Operation(
        summary="Replace an own offer's price and stock",
        tag="Offers",
        body=Body(OfferIn, examples.OFFER_BODY),
        conditional="change",
        answer=_OFFER,
        problems=(problem_types.OFFER_IS_EXTERNAL, problem_types.UNAVAILABLE),
    ),
    "offers.patch_offer": Operation(
        summary="Change fields of an own offer",
        tag="Offers",
        body=Body(OfferPatch, examples.OFFER_PATCH, PATCH_TYPES),
        conditional="change",
        answer=Answer("Offer", examples.OWN_OFFER | examples.OFFER_PATCH, headers=_TAGGED),
        problems=(problem_types.OFFER_IS_EXTERNAL, problem_types.UNAVAILABLE),
    ),
    "offers.delete_offer": Operation(
        summary="Delete an own offer",
        tag="Offers",
        conditional="change",
        answer=_DELETED,
        problems=(problem_types.OFFER_IS_EXTERNAL, problem_types.UNAVAILABLE),
    ),
    "history.list_changes_of_product": Operation(
        summary="List the changes of a product's offers",
        tag="Offers",
        query=OfferChangesQuery,
        conditional="read",
        answer=_CHANGES,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "history.list_changes_of_offer": Operation(
        summary="List the changes of an offer",
        tag="Offers",
        query=OfferChangesQuery,
        conditional="read",
        answer=_CHANGES,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "offers.list_offers": Operation(
        summary="List offers of all products",
        tag="Offers",
        query=OffersQuery,
        conditional="read",
        answer=Answer("OfferPage", examples.OFFERS, headers=_LISTED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "prices.price_history": Operation(
        summary="Follow a product's prices",
        tag="Prices",
        query=PriceHistoryQuery,
        conditional="read",
        answer=Answer("PriceHistory", examples=price_examples.HISTORY, headers=_LISTED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "prices.price_trend": Operation(
        summary="Read where a product's lowest price went",
        tag="Prices",
        query=PriceRangeQuery,
        conditional="read",
        answer=Answer("PriceTrend", examples=price_examples.TREND, headers=_TAGGED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "prices.price_summary": Operation(
        summary="Read how a product's lowest price stands",
        tag="Prices",
        conditional="read",
        answer=Answer("PriceSummary", examples=price_examples.SUMMARY, headers=_TAGGED),
        problems=(problem_types.UNAVAILABLE,),
    ),
    "probes.livez": Operation(
        summary="Whether the process answers", tag="Operation", answer=Answer("Alive", examples.ALIVE)
    ),
    "probes.readyz": Operation(
        summary="Whether requests can be served",
        tag="Operation",
        answer=Answer("Ready", examples.READY),
        problems=(problem_types.NOT_READY,),
    ),
    "docs.openapi": Operation(
        summary="This document",
        tag="Documentation",
        conditional="read",
        answer=Answer("OpenApi", {"openapi": "3.1.0"}, headers=_KEPT),
    ),
    "docs.page": Operation(
        summary="This document as a page to read and try",
        tag="Documentation",
        conditional="read",
        answer=_A_PAGE,
    ),
    "problem_pages.list_problems": Operation(
        summary="Every kind of problem, as a page",
        tag="Documentation",
        conditional="read",
        answer=_A_PAGE,
    ),
    "problem_pages.describe_problem": Operation(
        summary="What a kind of problem means and what to do, as a page",
        tag="Documentation",
        conditional="read",
        answer=_A_PAGE,
    ),
    "docs.file": Operation(
        summary="A file of that page",
        tag="Documentation",
        conditional="read",
        answer=Answer("File", "body{}", headers=_KEPT, media_type="*/*"),
    ),
}
