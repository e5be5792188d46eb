"""Alerts: rules about prices and stock, the events they give, and where these are delivered."""
