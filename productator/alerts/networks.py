"""Which addresses alerts may be sent to: public ones, and those that the operator allows. Pure.

People who may make channels must not reach, through the notifier, what only the notifier's machine can reach:
services on loopback and in private networks, and the metadata of clouds on link-local addresses.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from productator.domain import Network

# Python calls these global, or did until lately: relays from IPv4 to IPv6, and the networks below, each of
# which leads to an IPv4 address, which may be a private one.
_RELAYS = IPv4Network("192.88.99.0/24")
_IPV6_INTO_IPV4 = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
# All other addresses of IPv6 are no public hosts: loopback, mapped (`::ffff:0:0/96`), translated
# (`64:ff9b::/96`), unique local, link-local, site-local (`fec0::/10`), multicast.
_GLOBAL_UNICAST = IPv6Network("2000::/3")


def is_refused(address: str, allowed: Collection[Network]) -> bool:
    """Whether nothing may be sent to the IP address, which is written as the operating system writes it."""
    host = ip_address(address)
    if any(host in network for network in allowed):
        return False
    if isinstance(host, IPv4Address):
        return not host.is_global or host.is_multicast or host.is_reserved or host in _RELAYS
    return not _is_public(host)


def _is_public(host: IPv6Address) -> bool:
    return host.is_global and host in _GLOBAL_UNICAST and not any(host in each for each in _IPV6_INTO_IPV4)
