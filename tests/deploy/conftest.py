"""Each overlay, rendered once."""

import pytest

from tests.deploy.manifests import OVERLAYS, Manifests, rendered


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """The YAML of one overlay; a test that uses this runs on each of them."""
    return rendered(request.param)


@pytest.fixture
def manifests(overlay: str) -> Manifests:
    return Manifests(overlay)
