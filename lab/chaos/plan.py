"""What a run breaks and how often, and what the run found."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plan:
    """Refreshers, notifiers and database servers are killed with -9; each fault strikes one call."""

    refresher_kills: int
    database_kills: int
    faults: int
    seed: int
    products: int = 600
    refreshers: int = 3
    writers: int = 3
    rules: int = 1_000
    notifiers: int = 2
    notifier_kills: int = 100
    period_s: float = 10.0
    timeout_s: float = 2.0
    # The share of calls that suffer a fault.
    fault_share: float = 0.4
    longest_s: float = 3600.0

    @property
    def lease_s(self) -> float:
        """The lease that the refresher derives from this timeout."""
        return 6 * self.timeout_s + 5


@dataclass
class Findings:
    """One line for each figure, and the promises that were broken."""

    figures: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def note(self, figure: str) -> None:
        self.figures.append(figure)

    def expect(self, holds: object, promise: str) -> None:
        self.figures.append(f"{'kept  ' if holds else 'BROKEN'}  {promise}")
        if not holds:
            self.broken.append(promise)
