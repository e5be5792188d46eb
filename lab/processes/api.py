"""The API as a process, called by an administrator."""

from typing import Any

import requests

from lab.processes.program import Program
from lab.processes.simulator import Listing
from lab.waiting import PATIENCE_S

# The APIs of a system start with this token, and requests to them carry it.
ADMIN_TOKEN = "token-of-the-system-tests"


class Api(Program):
    """uWSGI's master with its workers."""

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"} | options.pop("headers", {})
        url = self.url(f"/api/v1{path}")
        return requests.request(method, url, headers=headers, timeout=PATIENCE_S, **options)

    def create_product(self, **product: str) -> dict[str, Any]:
        response = self.request("POST", "/products", json={"name": "Espresso machine"} | product)
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.json()
        return body

    def listing(self, product_id: int) -> Listing:
        """The offers of a product as a client sees them."""
        items = self.request("GET", f"/products/{product_id}/offers").json()["items"]
        return frozenset((each["external_id"], each["price"], each["items_in_stock"]) for each in items)
