"""Which addresses alerts may be sent to."""

import pytest

from productator.alerts.networks import is_refused
from productator.alerts.targets import wrong_mail_addresses
from productator.domain import networks_in

_NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", _NOT_PUBLIC)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert is_refused(address, ())


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450::1"])
def test_what_is_public_is_not(address: str) -> None:
    assert not is_refused(address, ())


def test_the_operator_may_allow_a_network_and_no_other() -> None:
    allowed = networks_in("10.1.0.0/16 fd00::/8")

    assert not is_refused("10.1.2.3", allowed)
    assert not is_refused("fd00::7", allowed)
    assert is_refused("10.2.0.1", allowed)


@pytest.mark.parametrize("addresses", ["ops@shop.example", "a@x.example,b@y.example"])
def test_mail_addresses_are_accepted(addresses: str) -> None:
    assert wrong_mail_addresses(addresses) is None


@pytest.mark.parametrize(
    "addresses", ["ops", "a@x.example, b@y.example", "a@x.example\nBcc: b@y.example", ","]
)
def test_what_is_no_list_of_mail_addresses_is_refused(addresses: str) -> None:
    assert wrong_mail_addresses(addresses) is not None
