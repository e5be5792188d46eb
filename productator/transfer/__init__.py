"""Products from files and to files."""
