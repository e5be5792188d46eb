"""Callers that an outside identity provider vouches for, with JSON Web Tokens (RFC 7519)."""
