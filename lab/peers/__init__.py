"""The most common requests as others would write them, for the benchmarks; their packages are in .venv-bench.

All work on our tables and answer our JSON. None checks tokens, limits, tags or addresses of pages.
"""
