"""The table from our exceptions to statuses."""

from collections.abc import Iterator

import pytest

from productator import errors
from productator.api.problems import STATUS_OF


def below(kind: type[Exception]) -> Iterator[type[Exception]]:
    """All subclasses, to any depth."""
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


@pytest.mark.parametrize("kind", list(below(errors.ProductatorError)), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_has_a_status(kind: type[errors.ProductatorError]) -> None:
    assert STATUS_OF[kind] >= 400


def test_no_status_is_kept_for_an_error_that_is_gone() -> None:
    assert set(STATUS_OF) == set(below(errors.ProductatorError))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.ProductNotFound(7), ["7"]),
        (errors.OfferNotFound(7, 8), ["7", "8"]),
        (errors.OfferIsExternal(8), ["8"]),
        (errors.CommitUnknown(), ["may or may not"]),
    ],
)
def test_an_error_names_what_it_is_about(error: errors.ProductatorError, words: list[str]) -> None:
    assert all(word in str(error) for word in words)
