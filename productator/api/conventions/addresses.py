"""Addresses of resources in answers."""

from typing import Any

from flask import request, url_for

from productator.api.conventions.forwarding import HOST_UNKNOWN


def address_of(endpoint: str, **values: Any) -> str:
    """An address that clients can follow; relative if neither settings nor request name a usable host."""
    return url_for(endpoint, _external=HOST_UNKNOWN not in request.environ, **values)
