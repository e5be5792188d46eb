"""Links of messages: events name pages by their path, and only the operator knows what is before it. Pure."""

from collections.abc import Mapping
from typing import Any


def with_links(data: Mapping[str, Any], public_url: str | None) -> Mapping[str, Any]:
    """The event's data, and that of the events in a digest, with whole addresses."""
    if public_url is None:
        return data
    product = data.get("product")
    if product and str(product.get("url", "")).startswith("/"):
        data = {**data, "product": {**product, "url": public_url + product["url"]}}
    if "events" in data:
        events = [{**each, "data": with_links(each["data"], public_url)} for each in data["events"]]
        data = {**data, "events": events}
    return data
