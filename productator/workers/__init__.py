"""What the workers beside the API share: probes, threads, many calls at once, and a polite stop."""
