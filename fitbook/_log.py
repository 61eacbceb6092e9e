"""fitbook's logger, and the one category under which it warns."""

from __future__ import annotations

import logging

# No NullHandler: what could not be recorded is said on standard error in programs that set up no logging, too.
logger = logging.getLogger("fitbook")


class FitbookWarning(UserWarning):
    """Something was not recorded, or not as it was asked; the message says what and why."""
