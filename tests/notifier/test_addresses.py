"""Where nothing is sent to, whatever an address looks like when it is saved: libcurl opens the socket."""

from collections.abc import Iterator
from typing import Any

import pycurl
import pytest

from notifier.queue.claims import DeliveryClaim, Target
from notifier.queue.results import DeliveryOutcome
from notifier.sending.formats import HttpRequest
from notifier.sending.http import HttpSender
from productator.alerts.targets import wrong_url
from productator.domain import utc_now
from tests.notifier.receivers import Receiver, receiving

SPELLINGS = {
    "http://127.0.0.1/": "127.0.0.1",
    "http://127.1/": "127.0.0.1",
    "http://0x7f.0.0.1/": "127.0.0.1",
    "http://0x7f000001/": "127.0.0.1",
    "http://2130706433/": "127.0.0.1",
    "http://017700000001/": "127.0.0.1",
    "http://0177.0.0.1/": "127.0.0.1",
    "http://127.0.0.1./": "127.0.0.1",
    "http://localhost/": "127.0.0.1",
    "http://LOCALHOST:8080/": "127.0.0.1",
    "http://0/": "0.0.0.0",
    "http://0.0.0.0/": "0.0.0.0",
    "http://10.0.0.1/": "10.0.0.1",
    "http://10.1/": "10.0.0.1",
    "http://172.31.255.255/": "172.31.255.255",
    "http://192.168.0.1:8080/x": "192.168.0.1",
    "http://169.254.169.254/latest/meta-data/": "169.254.169.254",
    "http://0xa9fea9fe/": "169.254.169.254",
    "http://100.64.0.1/": "100.64.0.1",
    "http://192.88.99.1/": "192.88.99.1",
    "http://224.0.0.1/": "224.0.0.1",
    "http://[::1]/": "::1",
    "http://[::]/": "::",
    "http://[::ffff:127.0.0.1]/": "::ffff:127.0.0.1",
    "http://[::ffff:7f00:1]/": "::ffff:127.0.0.1",
    "http://[64:ff9b::7f00:1]/": "64:ff9b::7f00:1",
    "http://[2002:7f00:1::]/": "2002:7f00:1::",
    "http://[fec0::1]/": "fec0::1",
    "http://[fe80::1]/": "fe80::1",
    "http://[fd00:ec2::254]/": "fd00:ec2::254",
}


@pytest.fixture
def sender() -> Iterator[HttpSender]:
    sender = HttpSender((), concurrency=5, timeout_s=5)
    yield sender
    sender.close()


def outcome(sender: HttpSender, address: str) -> DeliveryOutcome:
    target = Target(1, "webhook", "Ops", address)
    claim = DeliveryClaim(1, "t", "msg_1", 0, "test", {}, utc_now(), None, target)
    sender.send(claim, HttpRequest(address, {}, b"{}"))
    while not (found := sender.receive(1.0)):
        pass
    return found[0]


@pytest.mark.parametrize(("address", "refused"), SPELLINGS.items())
def test_a_spelling_of_an_address_that_is_not_public_is_refused_when_it_is_sent_to(
    sender: HttpSender, address: str, refused: str
) -> None:
    error = outcome(sender, address).error

    # A machine may have IPv6 first for localhost.
    assert f"{refused} is not a public address" in (error or "").replace("::1 is", f"{refused} is")


def test_a_name_that_leads_elsewhere_after_it_was_saved_is_refused_where_the_socket_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving(Receiver()) as inside:
        address = inside.address.replace("127.0.0.1", "rebind.example")
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.215.14", 80))])
        saved = wrong_url(address, ())
        answer_with(monkeypatch, "127.0.0.1", port=address.rpartition(":")[2])
        sender = HttpSender((), concurrency=5, timeout_s=5)
        error = outcome(sender, address).error
        sender.close()

    assert saved is None
    assert error is not None
    assert error.startswith("127.0.0.1 is not a public address")
    assert inside.requests == []


def test_of_a_name_with_several_addresses_the_private_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving(Receiver()) as inside:
        address = inside.address.replace("127.0.0.1", "both.example")
        # The first one is refused by the machine itself, at once, in the middle of a broadcast network.
        answer_with(monkeypatch, "255.255.255.255,127.0.0.1", port=address.rpartition(":")[2])
        sender = HttpSender((), concurrency=5, timeout_s=5)
        outcome(sender, address)
        sender.close()

    assert inside.requests == []


def test_a_proxy_of_the_environment_is_not_used(sender: HttpSender, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(Receiver()) as proxy:
        for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        error = outcome(sender, "http://10.0.0.1/").error

    assert (error or "").startswith("10.0.0.1 is not a public address")
    assert proxy.requests == []


def answer_with(monkeypatch: pytest.MonkeyPatch, addresses: str, *, port: str) -> None:
    """libcurl's resolver gives these addresses for the names of the test from now on."""
    new_handle: Any = pycurl.Curl

    def resolving() -> Any:
        curl = new_handle()
        names = ("rebind.example", "both.example")
        curl.setopt(pycurl.RESOLVE, [f"{name}:{port}:{addresses}" for name in names])
        return curl

    monkeypatch.setattr(pycurl, "Curl", resolving)
