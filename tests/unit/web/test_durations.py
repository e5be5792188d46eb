"""How long ago something was, in words."""

import pytest

from productator.web import formats

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59.9, "59 s"),
        (90, "90 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_two_ages_that_differ_by_half_are_told_apart(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text.replace(" ", NBSP)
