"""The command line, one file per noun; `fitbook.cli.main` is its door."""
