"""The page of the system: what people look at first when prices are old."""

from flask import Response

from productator.api.resources.system import current_backlog, current_state, retention, versions
from productator.operation.summary import sentence
from productator.web.charts.bars import bars
from productator.web.pages import page, page_blueprint

system_page = page_blueprint("system_page")


@system_page.get("/system")
def show() -> Response:
    """One sentence, then the figures behind it."""
    state = current_state()
    return page(
        "system.html",
        state=state,
        sentence=sentence(state),
        backlog=current_backlog(),
        # What an hour has, and its whole day in words and bars.
        days=[
            (label, sum(values), max(values), bars(values))
            for label, values in (
                ("Refreshes", [each.refreshes for each in state.hours]),
                ("Changes of offers", [each.changes for each in state.hours]),
            )
        ],
        retention=retention(),
        versions=versions(),
    )
