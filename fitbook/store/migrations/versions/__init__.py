"""The schema's revisions, oldest first by their number."""
