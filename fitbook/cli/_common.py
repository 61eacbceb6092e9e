"""What the commands share: options. Standard library and click only, so that help stays quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_TRACKING_URI = "fitbook.tracking_uri"


def _remember(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_TRACKING_URI] = value


# Taken both before and after the command's name; the later one wins.
store_option = click.option(
    "--tracking-uri",
    metavar="URI",
    expose_value=False,
    callback=_remember,
    help="The store to read: a folder or a database URL.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; times are milliseconds since 1970.")


def chosen_uri() -> str | None:
    """The tracking URI given on the command line, if one was."""
    return click.get_current_context().meta.get(_TRACKING_URI)
