"""What calls to other servers say of themselves and of their failures."""

import pycurl
import pytest

from productator.outgoing import CurlFailure, without_user


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("end of response with 123 bytes missing", "end of response with some bytes missing"),
        (
            "Operation timed out after 501 milliseconds with 20 out of 300 bytes received",
            "Operation timed out with some bytes received",
        ),
        (
            "Operation timed out after 501 milliseconds with 0 bytes received",
            "Operation timed out with 0 bytes received",
        ),
        (
            "Failed to connect to 127.0.0.1:9 after 0 ms: Could not connect to server",
            "Failed to connect to 127.0.0.1:9: Could not connect to server",
        ),
        (
            "transfer closed with 7 bytes remaining to read",
            "transfer closed with some bytes remaining to read",
        ),
        ("Connection timed out after 3001 milliseconds", "Connection timed out"),
        ("", "no reason given"),
    ],
)
def test_a_reason_is_a_whole_sentence_without_figures_that_differ(text: str, reason: str) -> None:
    assert CurlFailure(pycurl.E_GOT_NOTHING, text).reason == reason


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:secret@host:80/api/v1", "http://host:80/api/v1"),
        ("https://secret@host/a@b", "https://host/a@b"),
        ("http://host/login?token=secret#secret", "http://host/login"),
        ("http://[::1]:7/", "http://[::1]:7/"),
    ],
)
def test_an_address_is_shown_without_user_password_and_query(address: str, shown: str) -> None:
    assert without_user(address) == shown
