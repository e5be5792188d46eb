"""The lines that uWSGI prints become lines of the log."""

import json

import pytest

from productator.ops.uwsgi_log import formatted

WITH_ESCAPES = b"write error during GET /\x1b[31m\x7f\xff (127.0.0.1) !!!\n"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_control_characters_and_broken_bytes_are_escaped(log_format: str) -> None:
    printed = formatted(WITH_ESCAPES, log_format)

    assert printed.isprintable()
    assert "[31m" in printed


def test_a_line_is_json_with_time_and_level() -> None:
    line = json.loads(formatted(WITH_ESCAPES, "json"))

    assert (line["level"], line["logger"]) == ("warning", "uwsgi")
    assert line["event"].startswith("write error during GET /")
    assert line["time"].endswith("Z")


def test_what_is_no_trouble_is_information() -> None:
    assert json.loads(formatted(b"spawned uWSGI worker 1\n", "json"))["level"] == "info"
