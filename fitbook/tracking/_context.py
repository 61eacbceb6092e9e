"""What surrounds a run: user, program, git commit, as MLflow's reserved tags. Starts no process."""

from __future__ import annotations

import functools
import getpass
import os
import re
import sys
import uuid
from pathlib import Path

from fitbook import _validate

RUN_NAME = "mlflow.runName"
PARENT_RUN_ID = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
USER = "mlflow.user"
AUTOLOGGING = "mlflow.autologging"
LOGGED_MODELS = "mlflow.log-model.history"

_ADJECTIVES = (
    "able amber apt bold brave brisk calm clear clever deft eager early fair fond free fresh gentle glad golden happy "
    "honest humble jolly keen kind light lively loyal lucky mellow merry mild neat nimble noble patient plain proud "
    "quick quiet rapid ready rosy sharp silver smart snug steady still strong sunny swift tidy tranquil vivid warm wise"
).split()
_NOUNS = (
    "acorn aspen badger beech birch bison brook canary cedar cliff clover comet condor coral crane cricket dune eagle "
    "elm falcon fern finch fjord fox gecko glade grove gull harbor hare hawk heron ibis iris lark lichen lynx maple "
    "marlin meadow merlin moss newt oak orchid otter owl panda pine plover quail raven reef river robin sable sparrow "
    "stork swan thistle tiger trout tulip walrus willow wren"
).split()


def random_name() -> str:
    """Make up a name that people can say; takes nothing from the program's random number generators."""
    bits = uuid.uuid4().int
    return f"{_ADJECTIVES[bits % len(_ADJECTIVES)]}-{_NOUNS[bits // 97 % len(_NOUNS)]}-{bits // 9973 % 1000}"


@functools.cache
def user_name() -> str:
    """The name of the user that this process runs as."""
    try:
        return _validate.safe_text(getpass.getuser())[: _validate.MAX_NAME]
    except (KeyError, OSError, ImportError):
        return "unknown"


def context_tags() -> dict[str, str]:
    """Tags that every new run gets."""
    argv, cwd = tuple(sys.argv[:1]), os.getcwd() if _cwd_exists() else ""
    tags = dict(_process_tags(argv, cwd))
    # A session can outlive many commits, so this is read for every run.
    commit, branch = _git_head(_home_of_the_program(argv, cwd))
    if commit:
        tags["mlflow.source.git.commit"] = commit
    if branch:
        tags["mlflow.source.git.branch"] = _validate.safe_text(branch)
    return tags


@functools.lru_cache(maxsize=8)
def _process_tags(argv: tuple[str, ...], cwd: str) -> dict[str, str]:
    program = _program(argv)
    notebook = "ipykernel" in sys.modules
    return {
        USER: user_name(),
        # A path may be no valid Unicode.
        "mlflow.source.name": _validate.safe_text(os.environ.get("JPY_SESSION_NAME", program) if notebook else program),
        "mlflow.source.type": "NOTEBOOK" if notebook else "LOCAL",
    }


def _program(argv: tuple[str, ...]) -> str:
    return argv[0] if argv and argv[0] not in ("", "-c", "-m") else Path(sys.executable).name


@functools.lru_cache(maxsize=8)
def _home_of_the_program(argv: tuple[str, ...], cwd: str) -> Path:
    program = _program(argv)
    return Path(program).absolute().parent if os.path.isfile(program) else Path(cwd)


def _git_head(start: Path) -> tuple[str, str]:
    """Read commit and branch from git's own files: asking git would cost a process."""
    try:
        for folder in (start, *start.parents):
            git = folder / ".git"
            if git.is_file():  # a worktree or submodule: the file names the real place
                git = (folder / git.read_text().partition("gitdir:")[2].strip()).resolve()
            if not (git / "HEAD").is_file():
                continue
            head = (git / "HEAD").read_text().strip()
            if not head.startswith("ref: "):
                return _commit(head), ""
            ref = head[5:]
            shared = git / (git / "commondir").read_text().strip() if (git / "commondir").is_file() else git
            branch = ref.removeprefix("refs/heads/")
            for place in (git / ref, shared / ref):
                if place.is_file():
                    return _commit(place.read_text().strip()), branch
            packed = shared / "packed-refs"
            if packed.is_file():
                stat = packed.stat()
                return _packed_commit(packed, (stat.st_mtime_ns, stat.st_size, stat.st_ino), ref), branch
            return "", branch
    except (OSError, UnicodeError):
        pass
    return "", ""


@functools.lru_cache(maxsize=8)
def _packed_commit(packed: Path, _: tuple[int, ...], ref: str) -> str:
    """Look a ref up in what may be a very long file; read again when the file has changed."""
    for line in packed.read_text().splitlines():
        if line.endswith(" " + ref):
            return _commit(line.split()[0])
    return ""


def _commit(text: str) -> str:
    return text if re.fullmatch(r"[0-9a-f]{40,64}", text) else ""


def _cwd_exists() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True
