"""The tables, as typed SQLAlchemy classes that all programs share."""

from productator.database.base import Base
from productator.models.alerts import (
    AlertRule,
    AlertState,
    ChangedProduct,
    Channel,
    Delivery,
    Event,
    RuleChannel,
)
from productator.models.api_token import ApiToken
from productator.models.idempotency_key import IdempotencyKey
from productator.models.installation_key import InstallationKey
from productator.models.offer import Offer
from productator.models.price_history import DayFigures, OfferChange, PricePoint, RetentionProgress
from productator.models.product import Product, Refresh
from productator.models.product_price import ProductPrice
from productator.models.refresher import RefresherHeartbeat, RefreshHour
from productator.models.replication_beat import ReplicationBeat
from productator.models.schema_compatibility import SchemaCompatibility
from productator.models.service_token import ServiceToken
from productator.models.session import SignInSession

__all__ = [
    "AlertRule",
    "AlertState",
    "ApiToken",
    "Base",
    "ChangedProduct",
    "Channel",
    "DayFigures",
    "Delivery",
    "Event",
    "IdempotencyKey",
    "InstallationKey",
    "Offer",
    "OfferChange",
    "PricePoint",
    "Product",
    "ProductPrice",
    "Refresh",
    "RefreshHour",
    "RefresherHeartbeat",
    "ReplicationBeat",
    "RetentionProgress",
    "RuleChannel",
    "SchemaCompatibility",
    "ServiceToken",
    "SignInSession",
]
