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
from productator.models.price_history import OfferChange, PricePoint, RetentionProgress
from productator.models.product import Product, Refresh
from productator.models.service_token import ServiceToken

__all__ = [
    "AlertRule",
    "AlertState",
    "ApiToken",
    "Base",
    "ChangedProduct",
    "Channel",
    "Delivery",
    "Event",
    "IdempotencyKey",
    "InstallationKey",
    "Offer",
    "OfferChange",
    "PricePoint",
    "Product",
    "Refresh",
    "RetentionProgress",
    "RuleChannel",
    "ServiceToken",
]
