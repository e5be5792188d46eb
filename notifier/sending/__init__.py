"""Messages on their way out: how each kind of channel wants them, and the calls."""
