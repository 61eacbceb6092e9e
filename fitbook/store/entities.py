"""Pages of a search, where scripts for MLflow look for them."""

from fitbook.entities import PagedList

__all__ = ["PagedList"]
