"""What the notifier sends to webhooks, for the OpenAPI document."""

from productator.api.openapi.parts import Json

EVENT_TYPES = {
    "price.threshold": "The price is at or below the limit of a rule.",
    "price.dropped": "The price has dropped.",
    "price.rose": "The price has risen.",
    "price.new_low": "The price is lower than in the time that a rule looks at.",
    "stock.back": "The product is back in stock.",
    "stock.out": "The product is out of stock.",
    "product.stale": "The product's offers are stale.",
    "product.failing": "Refreshing the product fails.",
    "service.down": "The Offers service is down.",
    "service.up": "The Offers service is up again.",
    "channel.disabled": "Another channel has failed for good and is disabled.",
    "digest": "Several events in one: `events` has the first ones, `count` says how many there are.",
    "test": "A test of the channel.",
}
_SIGNED = (
    "A POST, signed by Standard Webhooks 1.0. `webhook-id` is the same on every try: a message may come"
    " twice. Any 2xx is a success; redirects are not followed; 410 disables the channel."
)
_HEADERS = {
    "webhook-id": "The id of the message.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "`v1,` and the signature in base64; after a rotation there are two.",
}


def _webhook(event_type: str, meaning: str) -> Json:
    return {
        "post": {
            "operationId": "on_" + event_type.replace(".", "_"),
            "tags": ["Alerts"],
            "summary": meaning,
            "description": _SIGNED,
            "parameters": [
                {
                    "name": name,
                    "in": "header",
                    "required": True,
                    "description": text,
                    "schema": {"type": "string"},
                }
                for name, text in _HEADERS.items()
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["type", "timestamp", "data"],
                            "properties": {
                                "type": {"const": event_type},
                                "timestamp": {"type": "string", "format": "date-time"},
                                "data": {"type": "object"},
                            },
                        }
                    }
                },
            },
            "responses": {"2XX": {"description": "Received."}},
        }
    }


WEBHOOKS: Json = {name: _webhook(name, meaning) for name, meaning in EVENT_TYPES.items()}
