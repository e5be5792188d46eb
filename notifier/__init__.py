"""The worker that tells of what happened: it evaluates alert rules and delivers their events."""
