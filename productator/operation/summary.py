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
        down_s = (state.measured_at - state.down_since).total_seconds()
        return f"The Offers service has been down for {duration(down_s)}; prices are as last seen."
    if products.stale:
        return f"{products.stale:,} of {products.total:,} products have old prices{_oldest(state)}."
    without = f"; {products.without_offers:,} have no offers yet" if products.without_offers else ""
    all_of_them = "The one product is" if products.fresh == 1 else f"All {products.fresh:,} products are"
    if not products.fresh:
        return f"No product has offers yet; {products.pending:,} are pending."
    return f"{all_of_them} fresh{_oldest(state)}{without}."


def duration(seconds: float) -> str:
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def _oldest(state: SystemState) -> str:
    age_s = state.products.oldest_offers_s
    return "" if age_s is None else f"; the oldest offers are {duration(age_s)} old"
