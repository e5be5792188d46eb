"""How both programs talk to the database."""
