"""What runs long and is no test: benchmarks, chaos, proofs, and the processes they start."""
