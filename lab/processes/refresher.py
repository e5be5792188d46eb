"""The refresher as a process."""

from lab.processes.program import Program


class Refresher(Program):
    """A worker with its probes and metrics."""

    @property
    def refreshed(self) -> float:
        """How many refreshes have succeeded."""
        return self.metric('productator_refresher_refreshes_total{outcome="refreshed"}')
