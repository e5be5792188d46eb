"""Whether a request may come from a browser that a page of somebody else's has sent."""

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress

_HOST = re.compile(r"(?P<name>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
_OF_NOBODY_ELSE = {"same-origin", "none"}


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Another site's request, or one to a name that its owner has pointed at this machine."""
    host = headers.get("Host", "")
    origin = headers.get("Origin")
    return (
        not _is_ours(host)
        or (origin is not None and origin not in {f"http://{host}", f"https://{host}"})
        or headers.get("Sec-Fetch-Site", "none") not in _OF_NOBODY_ELSE
    )


def _is_ours(host: str) -> bool:
    """An address, or a name without a dot: nobody can buy those."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]")
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return "." not in name or name.endswith(".localhost")
