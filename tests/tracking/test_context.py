from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fitbook.tracking import _context


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    _context._process_tags.cache_clear()
    _context.user_name.cache_clear()


def _git(folder: Path, *arguments: str) -> str:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "a" / "b").mkdir(parents=True)
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def test_head_of_a_branch(repo: Path) -> None:
    expected = (_git(repo, "rev-parse", "HEAD"), "main")
    assert _context._git_head(repo) == expected
    assert _context._git_head(repo / "a" / "b") == expected


def test_head_of_a_branch_with_slashes(repo: Path) -> None:
    _git(repo, "checkout", "-q", "-b", "feature/ü/x")
    assert _context._git_head(repo) == (_git(repo, "rev-parse", "HEAD"), "feature/ü/x")


def test_detached_head(repo: Path) -> None:
    commit = _git(repo, "rev-parse", "HEAD")
    _git(repo, "checkout", "-q", "--detach")
    assert _context._git_head(repo) == (commit, "")


def test_packed_refs(repo: Path) -> None:
    _git(repo, "tag", "-a", "v1", "-m", "annotated")  # packs with a line of its own for what it points at
    _git(repo, "pack-refs", "--all")
    assert not (repo / ".git" / "refs" / "heads" / "main").exists()
    assert _context._git_head(repo) == (_git(repo, "rev-parse", "HEAD"), "main")


def test_a_ref_that_moved_after_packing(repo: Path) -> None:
    _git(repo, "pack-refs", "--all")
    _git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    assert _context._git_head(repo) == (_git(repo, "rev-parse", "HEAD"), "main")


@pytest.mark.parametrize("packed", [False, True])
def test_worktrees(repo: Path, tmp_path: Path, packed: bool) -> None:
    _git(repo, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    _git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "two")
    if packed:
        _git(repo, "pack-refs", "--all")
    found = _context._git_head(tmp_path / "tree")
    assert found == (_git(tmp_path / "tree", "rev-parse", "HEAD"), "other")
    assert found != _context._git_head(repo)


def test_a_submodule_names_its_own_head(repo: Path, tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "main", "outer")
    _git(tmp_path / "outer", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo), "inner")
    assert _context._git_head(tmp_path / "outer" / "inner") == (_git(repo, "rev-parse", "HEAD"), "main")


def test_a_repository_without_commits(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "main")
    assert _context._git_head(tmp_path) == ("", "main")


@pytest.mark.parametrize(
    "head", [b"", b"nonsense", b"ref: refs/heads/none", b"\xff\xfe", b"ref: ../../../etc/passwd", b"ref: refs/heads"]
)
def test_a_broken_repository_says_nothing_wrong(tmp_path: Path, head: bytes) -> None:
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_bytes(head)
    commit, _ = _context._git_head(tmp_path)
    assert commit == ""


@pytest.mark.parametrize("content", ["", "gitdir: /nothing/here", "gitdir: ../gone", "nonsense"])
def test_a_git_file_that_leads_nowhere(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".git").write_text(content)
    _context._git_head(tmp_path / "x")


def test_what_is_no_commit_is_not_shown(repo: Path) -> None:
    (repo.parent / "secret").write_text("password")
    (repo / ".git" / "HEAD").write_text("ref: ../../secret")
    assert "password" not in _context._git_head(repo)


def test_the_tags_of_the_surroundings(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "train.py").write_text("")
    monkeypatch.setattr(sys, "argv", [str(repo / "train.py"), "--secret", "password"])
    monkeypatch.setenv("LOGNAME", "ada")
    assert _context.context_tags() == {
        "mlflow.user": "ada",
        "mlflow.source.name": str(repo / "train.py"),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": _git(repo, "rev-parse", "HEAD"),
        "mlflow.source.git.branch": "main",
    }


@pytest.mark.parametrize("packed", [False, True])
def test_a_commit_during_the_session_shows(repo: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    (repo / "train.py").write_text("")
    monkeypatch.setattr(sys, "argv", [str(repo / "train.py")])
    for _ in range(2):
        _git(repo, "commit", "-q", "--allow-empty", "-m", "more")
        if packed:
            _git(repo, "pack-refs", "--all")
        assert _context.context_tags()["mlflow.source.git.commit"] == _git(repo, "rev-parse", "HEAD")
    _git(repo, "checkout", "-q", "-b", "other")
    assert _context.context_tags()["mlflow.source.git.branch"] == "other"


def test_the_tags_are_a_copy() -> None:
    _context.context_tags()["mlflow.user"] = "changed"
    assert _context.context_tags()["mlflow.user"] != "changed"


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert _context.context_tags()["mlflow.source.type"] == "LOCAL"


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(_context.getpass, "getuser", nobody)
    assert _context.user_name() == "unknown"


def test_no_process_is_started(repo: Path) -> None:
    script = (
        "import os, sys\n"
        "def refuse(event, args):\n"
        "    if event in ('subprocess.Popen', 'os.system', 'os.fork', 'os.exec', 'os.posix_spawn'):\n"
        "        os.write(1, b'started ' + repr(args).encode()); os._exit(1)\n"
        "sys.addaudithook(refuse)\n"
        "import fitbook\n"
        "with fitbook.start_run() as run: fitbook.log_metric('m', 1)\n"
        "print(run.data.tags['mlflow.source.git.commit'])"
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", script], cwd=repo, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == _git(repo, "rev-parse", "HEAD"), done.stderr


def test_names_are_made_up_without_the_users_random_numbers() -> None:
    random.seed(1)
    state = random.getstate()
    names = {_context.random_name() for _ in range(300)}
    assert random.getstate() == state
    assert len(names) > 250
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d{1,3}", name) for name in names)


def test_a_program_whose_path_is_no_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/data/gr\udcf6sse/train.py"])
    assert _context.context_tags()["mlflow.source.name"] == "/data/gr\\udcf6sse/train.py"
