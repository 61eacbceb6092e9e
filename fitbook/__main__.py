"""``python -m fitbook``: the command line where the ``fitbook`` script is not on the path."""

from fitbook.cli.main import main

main(prog_name="fitbook")
