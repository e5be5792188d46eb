"""The requests and answers of every route, from which `document.py` builds the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from productator.alerts.validation import NewRuleIn, RuleIn
from productator.api.conventions import problem_types
from productator.api.conventions.parsing import JSON_TYPES, PATCH_TYPES
from productator.api.conventions.problem_types import ProblemType
from productator.api.openapi import alerts as alert_examples
from productator.api.openapi import examples
from productator.api.openapi import prices as price_examples
from productator.api.resources.offer_history import OfferChangesQuery
from productator.api.resources.prices import PriceHistoryQuery, PriceRangeQuery
from productator.api.schemas.alert_channels import ChannelIn, ChannelPatch, ChannelsQuery, DeliveriesQuery
from productator.api.schemas.alerts import EventsQuery, RulePatch, RulesQuery
from productator.api.schemas.bodies import OfferIn, OfferPatch, ProductBatch, ProductPatch, TokenIn
from productator.api.schemas.queries import OffersQuery, ProductOffersQuery, ProductsQuery, TokensQuery
from productator.catalogue.validation import ProductIn


@dataclass(frozen=True)
class RequestBody:
    model: type[BaseModel]
    example: Any
    types: tuple[str, ...] = JSON_TYPES


@dataclass(frozen=True)
class Success:
    """The answer to a request that succeeds; `schema` names a component."""

    schema: str | None
    example: Any = None
    status: int = 200
    headers: tuple[str, ...] = ()
    media_type: str = "application/json"
    examples: Mapping[str, Any] | None = None  # by name, where one is not enough


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`document.py` adds what follows from these fields, such as the problems of a body."""

    summary: str
    tag: str
    success: Success
    query: type[BaseModel] | None = None
    body: RequestBody | None = None
    # Which header it takes: If-None-Match, If-Match or Idempotency-Key.
    conditional: Literal["read", "change", "once"] | None = None
    problems: tuple[ProblemType, ...] = ()


_TAGGED = ("ETag",)
_LISTED = ("ETag", "Link")
_CREATED = ("ETag", "Location")
_PRODUCT = Success("Product", examples.PRODUCT, headers=_TAGGED)
_OFFER = Success("Offer", examples.OWN_OFFER, headers=_TAGGED)
_CHANNEL = Success("Channel", examples.CHANNEL, headers=_TAGGED)
_RULE = Success("AlertRule", alert_examples.RULE, headers=_TAGGED)
_CHANGES = Success("OfferChangePage", examples.OFFER_CHANGES, headers=_LISTED)
_DELETED = Success(None, status=204)
_A_PAGE = Success(
    "Html", "<!doctype html>", headers=(*_TAGGED, "Content-Security-Policy"), media_type="text/html"
)

_A_FORM = Success("Html", "<!doctype html>", headers=("Content-Security-Policy",), media_type="text/html")

# By endpoint: the name of the blueprint, and of the view.
OPERATIONS: dict[str, Operation] = {
    "products.list_products": Operation(
        summary="List products",
        tag="Products",
        query=ProductsQuery,
        conditional="read",
        success=Success("ProductPage", examples.PRODUCTS, headers=_LISTED),
    ),
    "products.create_product": Operation(
        summary="Create a product",
        tag="Products",
        body=RequestBody(ProductIn, examples.PRODUCT_BODY),
        conditional="once",
        success=Success("Product", examples.PENDING_PRODUCT, 201, _CREATED),
    ),
    "products.create_products": Operation(
        summary="Create many products",
        tag="Products",
        body=RequestBody(ProductBatch, examples.BATCH_BODY),
        conditional="once",
        success=Success("BatchAnswer", examples.BATCH_ANSWER, 207),
    ),
    "products.get_product": Operation(
        summary="Read a product",
        tag="Products",
        conditional="read",
        success=_PRODUCT,
    ),
    "products.replace_product": Operation(
        summary="Replace a product's name and description",
        tag="Products",
        body=RequestBody(ProductIn, examples.PRODUCT_BODY),
        conditional="change",
        success=_PRODUCT,
    ),
    "products.patch_product": Operation(
        summary="Change fields of a product",
        tag="Products",
        body=RequestBody(ProductPatch, examples.PRODUCT_PATCH, PATCH_TYPES),
        conditional="change",
        success=Success("Product", examples.PRODUCT | examples.PRODUCT_PATCH, headers=_TAGGED),
    ),
    "products.delete_product": Operation(
        summary="Delete a product",
        tag="Products",
        conditional="change",
        success=_DELETED,
    ),
    "products.get_refresh": Operation(
        summary="Read how keeping a product's offers fresh goes",
        tag="Products",
        conditional="read",
        success=Success("RefreshState", examples.REFRESH_STATE, headers=_TAGGED),
    ),
    "products.refresh_product": Operation(
        summary="Refresh a product now",
        tag="Products",
        conditional="once",
        success=Success("Refresh", examples.REFRESH, 202),
    ),
    "offers.list_offers_of_product": Operation(
        summary="List a product's offers",
        tag="Offers",
        query=ProductOffersQuery,
        conditional="read",
        success=Success("ProductOffers", examples.PRODUCT_OFFERS, headers=_LISTED),
    ),
    "offers.create_offer": Operation(
        summary="Add an own offer",
        tag="Offers",
        body=RequestBody(OfferIn, examples.OFFER_BODY),
        conditional="once",
        success=Success("Offer", examples.OWN_OFFER, 201, _CREATED),
    ),
    "offers.get_offer": Operation(
        summary="Read an offer",
        tag="Offers",
        conditional="read",
        success=_OFFER,
    ),
    "offers.replace_offer": Operation(
        summary="Replace an own offer's price and stock",
        tag="Offers",
        body=RequestBody(OfferIn, examples.OFFER_BODY),
        conditional="change",
        success=_OFFER,
        problems=(problem_types.OFFER_IS_EXTERNAL,),
    ),
    "offers.patch_offer": Operation(
        summary="Change fields of an own offer",
        tag="Offers",
        body=RequestBody(OfferPatch, examples.OFFER_PATCH, PATCH_TYPES),
        conditional="change",
        success=Success("Offer", examples.OWN_OFFER | examples.OFFER_PATCH, headers=_TAGGED),
        problems=(problem_types.OFFER_IS_EXTERNAL,),
    ),
    "offers.delete_offer": Operation(
        summary="Delete an own offer",
        tag="Offers",
        conditional="change",
        success=_DELETED,
        problems=(problem_types.OFFER_IS_EXTERNAL,),
    ),
    "history.list_changes_of_product": Operation(
        summary="List the changes of a product's offers",
        tag="Offers",
        query=OfferChangesQuery,
        conditional="read",
        success=_CHANGES,
    ),
    "history.list_changes_of_offer": Operation(
        summary="List the changes of an offer",
        tag="Offers",
        query=OfferChangesQuery,
        conditional="read",
        success=_CHANGES,
    ),
    "offers.list_offers": Operation(
        summary="List offers of all products",
        tag="Offers",
        query=OffersQuery,
        conditional="read",
        success=Success("OfferPage", examples.OFFERS, headers=_LISTED),
    ),
    "prices.price_history": Operation(
        summary="Read a product's price history",
        tag="Prices",
        query=PriceHistoryQuery,
        conditional="read",
        success=Success("PriceHistory", examples=price_examples.HISTORY, headers=_LISTED),
    ),
    "prices.price_trend": Operation(
        summary="Read the trend of a product's lowest price",
        tag="Prices",
        query=PriceRangeQuery,
        conditional="read",
        success=Success("PriceTrend", examples=price_examples.TREND, headers=_TAGGED),
    ),
    "prices.price_summary": Operation(
        summary="Read a summary of a product's lowest price",
        tag="Prices",
        conditional="read",
        success=Success("PriceSummary", examples=price_examples.SUMMARY, headers=_TAGGED),
    ),
    "tokens.list_tokens": Operation(
        summary="List tokens",
        tag="Tokens",
        query=TokensQuery,
        conditional="read",
        success=Success("TokenPage", examples.TOKENS, headers=_LISTED),
    ),
    "tokens.create_token": Operation(
        summary="Create a token",
        tag="Tokens",
        body=RequestBody(TokenIn, examples.TOKEN_BODY),
        conditional="once",
        success=Success("NewToken", examples.NEW_TOKEN, 201, ("Location",)),
    ),
    "tokens.get_token": Operation(
        summary="Read a token",
        tag="Tokens",
        conditional="read",
        success=Success("Token", examples.TOKEN, headers=_TAGGED),
    ),
    "tokens.revoke_token": Operation(
        summary="Revoke a token",
        tag="Tokens",
        success=_DELETED,
    ),
    "system.get_system": Operation(
        summary="Read how the system does",
        tag="Operation",
        conditional="read",
        success=Success("System", examples.SYSTEM, headers=_TAGGED),
    ),
    "channels.list_channels": Operation(
        summary="List channels",
        tag="Alerts",
        query=ChannelsQuery,
        conditional="read",
        success=Success("ChannelPage", examples.CHANNELS, headers=_LISTED),
    ),
    "channels.create_channel": Operation(
        summary="Make a channel",
        tag="Alerts",
        body=RequestBody(ChannelIn, examples.CHANNEL_BODY),
        conditional="once",
        success=Success("ChannelWithSecret", examples.CHANNEL_WITH_SECRET, 201, _CREATED),
    ),
    "channels.get_channel": Operation(
        summary="Read a channel", tag="Alerts", conditional="read", success=_CHANNEL
    ),
    "channels.replace_channel": Operation(
        summary="Replace a channel",
        tag="Alerts",
        body=RequestBody(ChannelIn, examples.CHANNEL_BODY),
        conditional="change",
        success=_CHANNEL,
    ),
    "channels.patch_channel": Operation(
        summary="Change fields of a channel",
        tag="Alerts",
        body=RequestBody(ChannelPatch, examples.CHANNEL_PATCH, PATCH_TYPES),
        conditional="change",
        success=Success("Channel", examples.CHANNEL | examples.CHANNEL_PATCH, headers=_TAGGED),
    ),
    "channels.delete_channel": Operation(
        summary="Delete a channel", tag="Alerts", conditional="change", success=_DELETED
    ),
    "channels.test_channel": Operation(
        summary="Send a test message",
        tag="Alerts",
        conditional="once",
        success=Success("Delivery", examples.DELIVERY, 202, ("Location",)),
    ),
    "channels.rotate_secret": Operation(
        summary="Give a webhook a new secret",
        tag="Alerts",
        conditional="once",
        success=Success("ChannelWithSecret", examples.CHANNEL_WITH_SECRET, headers=_TAGGED),
        problems=(problem_types.CHANNEL_SIGNS_NOTHING,),
    ),
    "deliveries.list_deliveries": Operation(
        summary="List deliveries",
        tag="Alerts",
        query=DeliveriesQuery,
        conditional="read",
        success=Success("DeliveryPage", examples.DELIVERIES, headers=_LISTED),
    ),
    "deliveries.get_delivery": Operation(
        summary="Read a delivery",
        tag="Alerts",
        conditional="read",
        success=Success("Delivery", examples.DELIVERY, headers=_TAGGED),
    ),
    "deliveries.redeliver": Operation(
        summary="Deliver again",
        tag="Alerts",
        conditional="once",
        success=Success("Delivery", examples.DELIVERY, 202),
        problems=(problem_types.CHANNEL_DISABLED,),
    ),
    "mute_pages.mute_form": Operation(
        summary="A form that mutes a rule, from a mail",
        tag="Alerts",
        success=_A_FORM,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "mute_pages.mute_rule": Operation(
        summary="Mute a rule, from a mail",
        tag="Alerts",
        success=_A_FORM,
        problems=(problem_types.UNAVAILABLE,),
    ),
    "alerts.list_alert_rules": Operation(
        summary="List alert rules",
        tag="Alerts",
        query=RulesQuery,
        conditional="read",
        success=Success("AlertRulePage", alert_examples.RULES, headers=_LISTED),
    ),
    "alerts.create_alert_rule": Operation(
        summary="Create an alert rule",
        tag="Alerts",
        body=RequestBody(NewRuleIn, alert_examples.RULE_BODY),
        conditional="once",
        success=Success("AlertRule", alert_examples.RULE, 201, _CREATED),
    ),
    "alerts.get_alert_rule": Operation(
        summary="Read an alert rule, and whether it is true now",
        tag="Alerts",
        conditional="read",
        success=_RULE,
    ),
    "alerts.replace_alert_rule": Operation(
        summary="Replace an alert rule",
        tag="Alerts",
        body=RequestBody(RuleIn, alert_examples.RULE_BODY),
        conditional="change",
        success=_RULE,
    ),
    "alerts.patch_alert_rule": Operation(
        summary="Change fields of an alert rule",
        tag="Alerts",
        body=RequestBody(RulePatch, alert_examples.RULE_PATCH, PATCH_TYPES),
        conditional="change",
        success=Success("AlertRule", alert_examples.RULE | alert_examples.RULE_PATCH, headers=_TAGGED),
    ),
    "alerts.delete_alert_rule": Operation(
        summary="Delete an alert rule",
        tag="Alerts",
        conditional="change",
        success=_DELETED,
    ),
    "alerts.list_events": Operation(
        summary="List events",
        tag="Alerts",
        query=EventsQuery,
        conditional="read",
        success=Success("EventPage", alert_examples.EVENTS, headers=_LISTED),
    ),
    "alerts.get_event": Operation(
        summary="Read an event",
        tag="Alerts",
        conditional="read",
        success=Success("Event", alert_examples.EVENT, headers=_TAGGED),
    ),
    "probes.livez": Operation(
        summary="Whether the process answers", tag="Operation", success=Success("Alive", examples.ALIVE)
    ),
    "probes.readyz": Operation(
        summary="Whether requests can be served",
        tag="Operation",
        success=Success("Ready", examples.READY),
        problems=(problem_types.NOT_READY,),
    ),
    "metrics.read_metrics": Operation(
        summary="Read the metrics of this API",
        tag="Operation",
        success=Success("Metrics", examples.METRICS, media_type="text/plain"),
    ),
    "openapi_document.openapi": Operation(
        summary="This document",
        tag="Documentation",
        conditional="read",
        success=Success("OpenApi", {"openapi": "3.1.0"}, headers=_TAGGED),
    ),
    "docs.page": Operation(
        summary="This document as a page to read and try",
        tag="Documentation",
        conditional="read",
        success=_A_PAGE,
    ),
    "problem_pages.list_problems": Operation(
        summary="All problem types, as a page",
        tag="Documentation",
        conditional="read",
        success=_A_PAGE,
    ),
    "problem_pages.describe_problem": Operation(
        summary="The meaning of a problem type, and what to do, as a page",
        tag="Documentation",
        conditional="read",
        success=_A_PAGE,
    ),
    "docs.file": Operation(
        summary="A file of the page /docs",
        tag="Documentation",
        conditional="read",
        success=Success("File", "body{}", headers=_TAGGED, media_type="*/*"),
    ),
}
