"""The pages for people: views, templates and static files."""
