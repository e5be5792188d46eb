"""The state of the system in one sentence. Pure."""

from productator.operation.state import SystemState

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def sentence(state: SystemState) -> str:
    """What matters most: a part that is missing, then prices that are old, then that all is well."""
    products = state.products
    if not products.total:
        return "No products yet."
    if not state.living:
        return f"No refresher is running; prices are as last seen{_oldest(state)}."
    if state.down_since is not None:
        down_s = (state.now - state.down_since).total_seconds()
        return f"The Offers service has been down for {duration(down_s)}; prices are as last seen."
    if products.stale:
        old = _counted(products.stale, products.total, "has", "have")
        return f"{old} old prices{_oldest(state)}."
    return _sentence_of_fresh(state)


def _sentence_of_fresh(state: SystemState) -> str:
    products = state.products
    if not products.fresh:
        return f"No product has offers yet; {products.pending:,} are pending."
    fresh = _counted(products.fresh, products.total, "is", "are")
    without = f"; {products.without_offers:,} without offers yet" if products.without_offers else ""
    return f"{fresh} fresh{_oldest(state)}{without}."


def duration(seconds: float) -> str:
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def _counted(number: int, total: int, one: str, many: str) -> str:
    if number == total:
        return f"The one product {one}" if total == 1 else f"All {total:,} products {many}"
    return f"{number:,} of {total:,} products {one if number == 1 else many}"


def _oldest(state: SystemState) -> str:
    age_s = state.products.oldest_offers_s
    return "" if age_s is None else f"; the oldest offers are {duration(age_s)} old"
