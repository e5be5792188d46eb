"""The active fault rules, and which of them applies to a call."""

import random
from collections.abc import Callable
from typing import Any

from simulator.calls import ControlError
from simulator.rules import DEFAULTS, FAULT_KINDS, check_rule

# With these, the client still gets the true offers.
HARMLESS = frozenset({"latency", "drip", "drip_headers", "extra_fields"})


class FaultRule:
    """A valid rule and how often it fired; `settings` holds a value for each parameter of its kind."""

    def __init__(self, content: Any) -> None:
        check_rule(content)
        self.content: dict[str, Any] = {name: content[name] for name in content if name != "fired"}
        self.kind: str = content["kind"]
        kind = FAULT_KINDS[self.kind]
        self.family = kind.family
        self.fired = 0
        self.settings = {name: content.get(name, DEFAULTS[name]) for name in kind.parameters}
        self._share: float = content.get("share", 1)
        self._times: int | None = content.get("times")
        self._calls = frozenset(content.get("calls", kind.calls))
        products = content.get("products")
        self._products = None if products is None else frozenset(str(product) for product in products)

    def applies_to(self, call: str, product: str | None, draw: Callable[[], float]) -> bool:
        if call not in self._calls or (self._times is not None and self.fired >= self._times):
            return False
        if self._products is not None and product not in self._products:
            return False
        return self._share >= 1 or draw() < self._share


class Faults:
    """The active rules; each replacement restarts the random numbers from the seed."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self.replace([])

    def replace(self, content: Any) -> None:
        if not isinstance(content, list):
            raise ControlError("The body must be a list of fault rules.")
        self._rules = [FaultRule(rule) for rule in content]
        # No secret depends on it, and a run must be repeatable.
        self._random = random.Random(self._seed)  # noqa: S311

    def listing(self) -> list[dict[str, Any]]:
        return [rule.content | {"fired": rule.fired} for rule in self._rules]

    def choose(self, call: str, product: str | None) -> FaultRule | None:
        for rule in self._rules:
            if rule.applies_to(call, product, self._random.random):
                return rule
        return None
