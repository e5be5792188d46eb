"""How the system does: what refreshers say about themselves, and the state of all products."""
