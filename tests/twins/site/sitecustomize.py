"""Turns autologging on before a script begins, so that the script itself is the same to the letter with it and without."""

import os

if os.environ.pop("TWIN_AUTOLOG", ""):
    import fitbook

    fitbook.autolog()
