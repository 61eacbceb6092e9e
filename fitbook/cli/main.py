"""``fitbook``: the group of all commands, loaded one by one when they are called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from fitbook._version import __version__
from fitbook.cli._common import store_option
from fitbook.errors import FitbookError

# Each command with its one line of help, so that `fitbook --help` has to import none of them.
COMMANDS = {
    "runs": "List, show and compare runs.",
    "models": "List registered models, tell and undo their history, verify models.",
    "compare": "Put runs, or versions of registered models, side by side.",
    "import": "Take what another tool has recorded.",
    "export": "Write runs, files and the registry as JSON, CSV and plain files.",
    "db": "Check, upgrade, back up and measure the store itself.",
    "gc": "Delete for good what was deleted, with its files.",
    "doctor": "Check versions, the store, and what autologging will hook.",
}

# Where commands are that are not in the module of their name.
_ELSEWHERE = {"import": ("transfer", "import_"), "export": ("transfer", "export")}


class Commands(click.Group):
    """The commands of `COMMANDS`, each imported from its module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = _ELSEWHERE.get(cmd_name, (cmd_name, cmd_name))
        command: click.Command = getattr(importlib.import_module(f"fitbook.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what fitbook refuses on purpose is one message on stderr, without a traceback."""
        try:
            return super().invoke(ctx)
        except FitbookError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fitbook", message="%(prog)s %(version)s")
@store_option
def main() -> None:
    """The lab book of every fit: what was recorded, read from the command line.

    \b
    Examples:
      fitbook runs list                        the latest runs
      fitbook runs show 3f2a                   all of one run; any unique beginning of its id will do
      fitbook runs compare 3f2a 9b01           two runs side by side
      fitbook --tracking-uri ../other-runs models list

    Only import, gc, models undo, db upgrade and db check --repair change the record. Where it is: --tracking-uri, else
    FITBOOK_TRACKING_URI, else ./fitbook-runs.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the listing.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main(prog_name="fitbook")
