"""pytest plugin: throw-away PostgreSQL and MariaDB servers, started when the first test asks for one.

Put ``pytest_plugins = ["fitbook.testing.servers"]`` into the top ``conftest.py``; the fixtures ``postgresql`` and
``mariadb`` are then URLs of a new, empty database. The servers listen on a Unix socket in a folder of their own, and
end with the process that started them, however that ends. Where a server's programs are not installed, its tests are
left out and the header says so; ``FITBOOK_TEST_SERVERS=postgresql,mariadb`` names those that have to be there.
"""

from __future__ import annotations

import contextlib
import glob
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

REQUIRED = "FITBOOK_TEST_SERVERS"

# Where distributions put what is not on everybody's PATH.
_FOLDERS = ["/usr/sbin", "/usr/local/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])

# Runs a server until its standard input ends, which it does when whoever started it is gone; then nothing is left.
_KEEPER = """
exec 3<&0
sh -c "$1" </dev/null 3<&- &
server=$!
(cat <&3 >/dev/null; kill -s "$2" $server) &
wait $server
: >"$3/ended"
cat <&3 >/dev/null
rm -rf "$3"
"""


@dataclass(frozen=True)
class Kind:
    """One database system: what it takes to run it, and how it is reached."""

    name: str
    programs: tuple[str, ...]
    install: str
    accounts: tuple[str, ...]
    script: str
    end: str
    socket: str
    url: str
    drop: str

    def missing(self) -> list[str]:
        """Name the programs that are not installed."""
        return [program for program in self.programs if shutil.which(program, path=_PATH) is None]


# Nothing that these databases hold has to outlive the machine, so they need not wait for its disk.
POSTGRESQL = Kind(
    name="postgresql",
    programs=("initdb", "postgres"),
    install="apt-get install postgresql",
    accounts=("postgres", "nobody"),
    script=(
        "initdb --pgdata data --username fitbook --auth trust --encoding UTF8 --no-locale --no-sync >initdb.log &&"
        " exec postgres -D data -k {folder} -c listen_addresses= -c fsync=off -c synchronous_commit=off"
        " -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB"
    ),
    end="QUIT",
    socket=".s.PGSQL.5432",
    url="postgresql+psycopg://fitbook@/{database}?host={folder}",
    drop="DROP DATABASE {database} WITH (FORCE)",
)
MARIADB = Kind(
    name="mariadb",
    programs=("mariadb-install-db", "mariadbd"),
    install="apt-get install mariadb-server",
    accounts=("mysql", "nobody"),
    script=(
        "mariadb-install-db --no-defaults --datadir={folder}/data --auth-root-authentication-method=normal"
        " --skip-test-db >install.log &&"
        " exec mariadbd --no-defaults --datadir={folder}/data --socket={folder}/socket --skip-networking"
        " --skip-grant-tables --skip-log-bin --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync"
        " --innodb-doublewrite=OFF --innodb-file-per-table=OFF --sync-frm=OFF"
        " --innodb-buffer-pool-size=64M --performance-schema=OFF --max-connections=400"
    ),
    end="KILL",
    socket="socket",
    url="mysql+pymysql://fitbook@localhost/{database}?unix_socket={folder}/socket",
    drop="DROP DATABASE {database}",
)
KINDS = (POSTGRESQL, MARIADB)


class Server:
    """A running server, with any number of databases."""

    def __init__(self, kind: Kind, folder: Path, admin: sa.Engine) -> None:
        self.kind, self.folder, self._admin = kind, folder, admin
        self._numbers = itertools.count(1)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database and give its URL; it is dropped afterwards."""
        name = f"test{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        yield self.kind.url.format(database=name, folder=self.folder)
        self._execute(self.kind.drop.format(database=name))

    def _execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)


@contextlib.contextmanager
def running(kind: Kind) -> Iterator[Server]:
    """Run a server as long as the block, or this process, lasts.

    Raises
    ------
    RuntimeError
        It did not start; the message is what it said.
    """
    account = _account(kind.accounts) if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix=f"fitbook-{kind.name}-", dir=_quick_place()))
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    script = kind.script.format(folder=folder)
    with tempfile.TemporaryFile() as log:
        keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, "keeper", script, kind.end, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PATH": _PATH, "TMPDIR": str(folder)},
            start_new_session=True,  # Ctrl-C is for pytest, which then ends the server
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        try:
            admin = _connected(kind, folder)
            if admin is None:
                log.seek(0)
                raise RuntimeError(f"{kind.name} did not start:\n{log.read()[-4000:].decode(errors='replace')}")
            yield Server(kind, folder, admin)
            admin.dispose()
        finally:
            keeper.communicate()


def _quick_place() -> str | None:
    """Name the folder that is kept in memory, if it has room: MariaDB makes tables ten times faster there."""
    with contextlib.suppress(OSError):
        if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 2**30:
            return "/dev/shm"
    return None


def _account(names: tuple[str, ...]) -> pwd.struct_passwd:
    """Find whom the server may run as: these refuse to be root."""
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(f"There is no account to run the server as; none of {', '.join(names)} exists.")


def _connected(kind: Kind, folder: Path) -> sa.Engine | None:
    home = "postgres" if kind is POSTGRESQL else "mysql"
    admin = sa.create_engine(kind.url.format(database=home, folder=folder), isolation_level="AUTOCOMMIT")
    deadline = time.monotonic() + 60
    socket, ended = folder / kind.socket, folder / "ended"
    while not ended.exists() and time.monotonic() < deadline:
        if socket.exists():  # a driver that is refused leaves things behind, and warnings are errors
            with contextlib.suppress(sa.exc.OperationalError), admin.connect():
                return admin
        time.sleep(0.05)
    return None


# -- fixtures and hooks ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server for all tests of this process."""
    with running(POSTGRESQL) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server for all tests of this process."""
    with running(MARIADB) as server:
        yield server


@pytest.fixture
def postgresql(postgresql_server: Server) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture
def mariadb(mariadb_server: Server) -> Iterator[str]:
    """The URL of an empty MariaDB database."""
    with mariadb_server.database() as url:
        yield url


def pytest_configure() -> None:
    """Refuse to begin without a server that has to be there."""
    required = [name.strip() for name in os.environ.get(REQUIRED, "").split(",") if name.strip()]
    known = {kind.name: kind for kind in KINDS}
    for name in required:
        if name not in known:
            raise pytest.UsageError(f"{REQUIRED} names {name!r}; there are {', '.join(known)}.")
        if missing := known[name].missing():
            raise pytest.UsageError(
                f"{REQUIRED} asks for {name}, and {', '.join(missing)} is not installed: {known[name].install}"
            )


def pytest_report_header() -> list[str]:
    """Say which servers there are."""
    return [
        f"{kind.name}: NOT TESTED, for {' and '.join(missing)} is not installed ({kind.install})"
        if (missing := kind.missing())
        else f"{kind.name}: a server of its own"
        for kind in KINDS
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of servers that are not installed."""
    absent = {name for kind in KINDS if kind.missing() for name in (kind.name, f"{kind.name}_server")}
    left_out = [item for item in items if absent.intersection(_asked_for(item))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _asked_for(item: pytest.Item) -> set[str]:
    """The fixtures of a test, and those that a parameter may name."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {*getattr(item, "fixturenames", ()), *(value for value in parameters if isinstance(value, str))}
