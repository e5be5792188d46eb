"""Who may call the API: our own tokens, and the JSON Web Tokens (RFC 7519) of an identity provider."""
