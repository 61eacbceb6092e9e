"""The throw-away servers: they end with whoever started them, and are missed aloud."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from fitbook.testing import servers
from fitbook.testing.servers import MARIADB, POSTGRESQL, Kind, Server, running

STARTED = """
import sys, time
from fitbook.testing.servers import KINDS, running
kind = {kind.name: kind for kind in KINDS}[sys.argv[1]]
with running(kind) as server, server.database() as url:
    print(server.folder, flush=True)
    sys.stdin.readline()
"""


def _start(kind: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def _processes_in(folder: Path) -> list[str]:
    """Command lines of the processes that work in a folder, or know it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (text := (process / "cmdline").read_bytes().decode() + os.readlink(process / "cwd")):
                found.append(text)
        except OSError:
            continue
    return found


def _gone(folder: Path) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not folder.exists() and not _processes_in(folder):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_postgresql_server_ends_with_its_process(postgresql_server: Server, end: signal.Signals) -> None:
    process, folder = _start("postgresql")
    assert _processes_in(folder)
    process.send_signal(end)
    process.communicate()
    assert _gone(folder)


def test_a_mariadb_server_ends_with_its_process(mariadb_server: Server) -> None:
    process, folder = _start("mariadb")
    assert _processes_in(folder)
    process.kill()
    process.communicate()
    assert _gone(folder)


def test_a_server_ends_with_its_block(postgresql_server: Server) -> None:
    process, folder = _start("postgresql")
    process.communicate("\n")
    assert process.returncode == 0
    assert not folder.exists()
    assert not _processes_in(folder)


@pytest.mark.parametrize("fixture", ["postgresql", "mariadb"])
def test_each_test_has_a_database_of_its_own(request: pytest.FixtureRequest, fixture: str) -> None:
    one = request.getfixturevalue(fixture)
    server: Server = request.getfixturevalue(f"{fixture}_server")
    with server.database() as two:
        engines = [sa.create_engine(url) for url in (one, two)]
        with engines[0].begin() as connection:
            connection.exec_driver_sql("CREATE TABLE mine (n INTEGER)")
        assert [sa.inspect(engine).has_table("mine") for engine in engines] == [True, False]
        for engine in engines:
            engine.dispose()


def test_a_server_that_does_not_start_says_why(postgresql_server: Server) -> None:
    broken = Kind(**{**vars(POSTGRESQL), "script": "echo no room; exit 1"})
    with pytest.raises(RuntimeError, match="postgresql did not start:\nno room"), running(broken):
        pass


# -- servers that are not there --------------------------------------------------------------------------------------

SUITE = """
import pytest
def test_of_neither(): pass
def test_of_postgresql(postgresql): pass
def test_of_mariadb(mariadb_server): pass
@pytest.mark.parametrize("name", ["mariadb", "postgresql"])
def test_of_both(request, name): request.getfixturevalue(name)
"""


def _pytest(folder: Path, *missing: Kind, required: str = "") -> str:
    (folder / "conftest.py").write_text(
        "from fitbook.testing import servers\n"
        f"servers.Kind.missing = lambda kind: list(kind.programs) if kind.name in {[k.name for k in missing]} else []\n"
        "pytest_plugins = ['fitbook.testing.servers']\n"
    )
    (folder / "test_it.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", str(folder)]
    environment = {**os.environ, servers.REQUIRED: required, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


def test_tests_of_missing_servers_are_left_out_and_the_header_says_so(tmp_path: Path) -> None:
    said = _pytest(tmp_path, MARIADB)
    assert "postgresql: a server of its own" in said
    assert "mariadb: NOT TESTED, for mariadb-install-db and mariadbd is not installed (apt-get install mariadb" in said
    assert "3/5 tests collected (2 deselected)" in said


def test_what_has_to_be_there_is_missed(tmp_path: Path) -> None:
    said = _pytest(tmp_path, MARIADB, required="postgresql, mariadb")
    assert "asks for mariadb, and mariadb-install-db, mariadbd is not installed: apt-get install mariadb-server" in said
    assert "names 'oracle'; there are postgresql, mariadb" in _pytest(tmp_path, required="oracle")
