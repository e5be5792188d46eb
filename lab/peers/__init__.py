"""The most common reads as others would write them, for the benchmarks."""
