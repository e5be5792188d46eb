"""Receivers of alerts."""

from collections.abc import Iterator

import pytest

from tests.notifier.receivers import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as running:
        yield running


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as running:
        yield running
