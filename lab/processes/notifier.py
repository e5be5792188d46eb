"""The notifier as a process."""

from lab.processes.program import Program


class Notifier(Program):
    """A worker with its probes and metrics."""
