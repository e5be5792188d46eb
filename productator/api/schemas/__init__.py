"""The shapes of the API's JSON, each declared once: bodies, queries and answers."""
