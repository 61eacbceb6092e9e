from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fitbook._version import __version__
from fitbook.cli.main import COMMANDS, main
from fitbook.entities import RunDraft
from fitbook.tracking._backend import Backend

Call = Callable[..., Result]
Draft = Callable[..., RunDraft]
COMMAND = [sys.executable, "-c", "from fitbook.cli.main import main; main(prog_name='fitbook')"]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += leaves(command, (*path, name)) if isinstance(command, click.Group) else [((*path, name), command)]
    return found


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from fitbook.cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'sqlalchemy', 'pandas', 'numpy', 'sklearn', 'matplotlib', 'lark'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for option in ("--help", "--version"):
        subprocess.run([sys.executable, "-c", script, option], check=True, stdout=subprocess.DEVNULL)


def test_the_help_lines_are_those_of_the_commands() -> None:
    for name, line in COMMANDS.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert (command.name, command.get_short_help_str(200)) == (name, line)
        assert line in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize(
    ("path", "command"), leaves(main), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_has_help_with_an_example_and_json(path: tuple[str, ...], command: click.Command) -> None:
    text = CliRunner().invoke(main, [*path, "--help"]).output
    assert f"fitbook {' '.join(path)}" in text.split("Examples:")[1]
    assert {"--json", "--tracking-uri"} <= {name for parameter in command.params for name in parameter.opts}
    assert all(p.help for p in command.params if isinstance(p, click.Option))


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"fitbook {__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["rnus"])
    assert (result.exit_code, "rnus" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments", [["runs", "list"], ["models", "list"], ["runs", "show", "ab"], ["runs", "compare", "a", "b"]]
)
def test_a_mistyped_path_is_said_and_nothing_is_made(fitbook: Call, uri: str, arguments: list[str]) -> None:
    result = fitbook(*arguments, expect=4)
    assert (result.stdout, result.stderr.startswith("Error: There is no fitbook store in")) == ("", True)
    assert "Traceback" not in result.output
    assert not Path(uri).exists()


def test_a_mistyped_database_url_makes_nothing(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--tracking-uri", f"sqlite:///{tmp_path}/none.db", "runs", "list"])
    assert (result.exit_code, list(tmp_path.iterdir())) == (4, [])


def test_the_uri_may_stand_after_the_command_and_in_the_environment(backend: Backend, uri: str, draft: Draft) -> None:
    backend.store.create_runs([draft(1)])
    after = CliRunner().invoke(main, ["--tracking-uri", "/nowhere", "runs", "list", "--tracking-uri", uri])
    environment = CliRunner(env={"FITBOOK_TRACKING_URI": uri}).invoke(main, ["runs", "list"])
    assert after.output == environment.output
    assert "run-1" in after.output


def test_errors_have_their_exit_codes(fitbook: Call, backend: Backend, draft: Draft) -> None:
    backend.store.create_runs([draft(1)])
    assert "No run 'zz'" in fitbook("runs", "show", "zz", expect=3).stderr
    assert "Cannot read the filter" in fitbook("runs", "list", "--filter", "metrics.a >", expect=2).stderr
    assert "scheme 'ftp'" in fitbook("runs", "list", "--tracking-uri", "ftp://x", expect=2).stderr


def test_a_damaged_store_is_a_message(fitbook: Call, uri: str) -> None:
    Path(uri).mkdir()
    Path(uri, "fitbook.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    assert "not a database" in fitbook("runs", "list", expect=4).stderr


def test_a_broken_pipe_is_silent(backend: Backend, uri: str, draft: Draft) -> None:
    backend.store.create_runs([draft(n, params={"p": "x" * 10_000}) for n in range(20)])
    command = subprocess.Popen(
        [*COMMAND, "--tracking-uri", uri, "runs", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.read(1)
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    command.wait()


def test_names_that_the_encoding_lacks_do_not_end_the_listing(backend: Backend, uri: str, draft: Draft) -> None:
    backend.store.create_runs([draft(1, run_name="模型"), draft(2, run_name="plain")])
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*COMMAND, "--tracking-uri", uri, "runs", "list"], env=environment, capture_output=True, check=True
    )
    assert b"plain" in done.stdout
    assert b"\\u6a21" in done.stdout


def test_a_terminal_gets_a_table_that_fits_it(backend: Backend, uri: str, draft: Draft) -> None:
    backend.store.create_runs(
        [draft(1, run_name="n" * 200, metrics={f"a_long_metric_name_{n}": 0.5 for n in range(3)})]
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "70"}
    subprocess.run([*COMMAND, "--tracking-uri", uri, "runs", "list"], env=environment, stdout=theirs, check=True)
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    assert all(len(line) <= 70 for line in text.splitlines()[:2])
    assert "\x1b" not in text


@pytest.mark.parametrize("module", ["fitbook", "fitbook.cli.main"])
def test_it_runs_as_a_module(module: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-m", module, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "fitbook", "")
