"""The worker that keeps offers fresh."""
