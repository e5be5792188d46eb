"""Every fault of the simulator once, short enough for tests, as the fields of a rule."""

from typing import Any

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "latency", "seconds": 0.5},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "timeout"},
    {"kind": "reset"},
    {"kind": "close"},
    {"kind": "drip", "seconds": 0.5},
    {"kind": "drip_headers", "seconds": 0.5},
    {"kind": "truncated"},
    {"kind": "invalid_json"},
    {"kind": "html"},
    {"kind": "wrong_shape"},
    {"kind": "wrong_types", "as": "string"},
    {"kind": "wrong_types", "as": "null"},
    {"kind": "negative", "field": "items_in_stock"},
    {"kind": "huge"},
    {"kind": "missing_field", "field": "id"},
    {"kind": "duplicate_ids"},
    {"kind": "empty"},
    {"kind": "extra_fields"},
    {"kind": "oversized", "size": 6_000_000},
    {"kind": "unauthorized"},
    {"kind": "too_many", "retry_after": 1},
    {"kind": "redirect"},
    {"kind": "unregistered"},
)
