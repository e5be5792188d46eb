"""Is the access token or the product at fault for a 401? Pure.

The service may reject one product with 401 while the token is good for all others. Renewing the token would
help nobody then, and in generation 1 it would make all products unknown. So calls that were answered 401 wait
for the reply to one call for another product: the check. If the service answers that with 401 as well, the
token is at fault; any other reply clears the token.
"""

from enum import Enum, auto
from http import HTTPStatus
from typing import Generic, TypeVar

Call = TypeVar("Call")


class Fault(Enum):
    TOKEN = auto()
    PRODUCT = auto()


class Rejections(Generic[Call]):
    """The calls that were answered 401, until it shows whose fault that was."""

    def __init__(self, *, wait_s: float) -> None:
        """`wait_s`: how long they wait for another product to check the token with, if none is at hand."""
        self._wait_s = wait_s
        self._wait_ends_at = 0.0
        self._calls: list[Call] = []
        # The products of these calls.
        self._products: set[str] = set()
        self._check: object | None = None

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def is_checking(self) -> bool:
        """Whether the check is under way; until it has ended no other call is worth sending."""
        return self._check is not None

    def add(self, call: Call, *, product: str, now: float) -> None:
        if not self._calls:
            self._wait_ends_at = now + self._wait_s
        self._calls.append(call)
        self._products.add(product)

    def can_check_with(self, product: str) -> bool:
        """Whether reading this product, which was read with the same token before, shows who is at fault."""
        return product not in self._products

    def check_with(self, call: object) -> None:
        self._check = call

    def has_waited(self, *, now: float) -> bool:
        """Whether nothing has come to check the token with: then the token counts as at fault."""
        return now >= self._wait_ends_at

    def fault_shown_by(self, call: object, *, status: int | None) -> Fault | None:
        """Who is at fault, if this call was the check; `status`: of its answer, None if there was none."""
        if call is not self._check:
            return None
        self._check = None
        return Fault.TOKEN if status == HTTPStatus.UNAUTHORIZED else Fault.PRODUCT

    def repeat_check(self, call: object) -> None:
        """If this call was the check, it has shown nothing: another one is needed."""
        if call is self._check:
            self._check = None

    def take(self) -> list[Call]:
        """The waiting calls; they wait no longer."""
        calls, self._calls = self._calls, []
        self._products.clear()
        return calls
