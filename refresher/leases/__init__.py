"""Which products this worker may refresh, until when, and when each is due."""
