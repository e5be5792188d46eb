"""The conventions that all resources share, each in a module."""
