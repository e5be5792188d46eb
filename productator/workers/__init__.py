"""What the programs that work beside the API share: probes, threads, many calls at once, and how they stop."""
