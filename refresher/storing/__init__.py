"""From outcomes to rows."""
