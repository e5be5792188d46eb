"""Which products this worker holds, and until when."""
