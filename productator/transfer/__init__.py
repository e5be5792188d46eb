"""Products in files: reading, writing, and an import that can be interrupted."""
