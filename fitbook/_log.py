"""fitbook's logger, and the one category under which it warns."""

from __future__ import annotations

import logging

logger = logging.getLogger("fitbook")
logger.addHandler(logging.NullHandler())


class FitbookWarning(UserWarning):
    """Something was not recorded, or not as it was asked; the message says what and why."""
