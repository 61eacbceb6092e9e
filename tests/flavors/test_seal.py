"""The seal of own work, and the key that makes it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fitbook import settings
from fitbook._log import FitbookWarning
from fitbook.flavors import flavor_named, write
from fitbook.flavors._seal import own_digests

MAKE = "from fitbook.flavors._seal import sealed; print(sealed(b'', {}).decode())"


OWN = """
from pathlib import Path
from fitbook.flavors._seal import own_digests
print(len(own_digests(Path("model"))))
"""


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the key will be."""
    file = tmp_path / "home" / "config" / "key"
    monkeypatch.setenv(settings.KEY_FILE.name, str(file))
    return file


@pytest.fixture
def folder(key: Path, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights").write_text("1")
    model = flavor_named("python_function").snapshot(len, artifacts={"data": tmp_path / "data"})
    return write(model, tmp_path / "model")


def test_a_folder_is_own_work_as_a_whole(folder: Path) -> None:
    assert len(own_digests(folder)) == len({file.read_bytes() for file in folder.rglob("*") if file.is_file()}) - 1
    for change in (
        lambda: (folder / "new").write_text(""),
        lambda: (folder / "artifacts" / "data" / "weights").write_text("2"),
        lambda: (folder / "python_model.pkl").rename(folder / "other.pkl"),
        lambda: (folder / "requirements.txt").unlink(),
        lambda: (folder / "MLmodel").write_bytes(b"a: 1\n" + (folder / "MLmodel").read_bytes()),
    ):
        before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        change()
        assert not own_digests(folder)
        for file in folder.rglob("*"):
            if file.is_file():
                file.unlink()
        for file, content in before.items():
            file.write_bytes(content)
        assert own_digests(folder)


def test_it_is_own_work_where_it_is_moved_to_and_the_key_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = folder.rename(folder.parent / "moved")
    assert own_digests(moved)
    monkeypatch.setenv(settings.KEY_FILE.name, str(folder.parent / "stranger"))
    assert not own_digests(moved)


def test_the_key_is_the_user_s_alone(folder: Path, key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert [file.name for file in key.parent.iterdir()] == ["key"]
    assert key.stat().st_size == 32


def test_processes_at_once_get_one_key(key: Path) -> None:
    made = [subprocess.Popen([sys.executable, "-c", MAKE], stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate()[0] for process in made}) == 1
    assert [file.name for file in key.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("home", ["below a file", "unknown"])
def test_without_a_home_a_model_is_own_in_its_process_only(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    file = str(tmp_path / "file" / "key") if home == "below a file" else "~no-such-user/key"
    monkeypatch.setenv(settings.KEY_FILE.name, file)
    monkeypatch.chdir(tmp_path)
    folder = write(flavor_named("python_function").snapshot(len), tmp_path / "model")
    assert own_digests(folder)
    elsewhere = subprocess.run([sys.executable, "-c", OWN], capture_output=True, check=True)
    assert elsewhere.stdout.strip() == b"0"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "model"]


@pytest.mark.parametrize(("content", "mode", "told"), [(b"k" * 32, 0o644, "others can read"), (b"k", 0o600, "damaged")])
def test_a_key_that_is_none_is_told_and_not_used(
    content: bytes, mode: int, told: str, key: Path, tmp_path: Path
) -> None:
    key.parent.mkdir(parents=True)
    key.write_bytes(content)
    key.chmod(mode)
    with pytest.warns(FitbookWarning, match=told):
        folder = write(flavor_named("python_function").snapshot(len), tmp_path / "model")
    assert own_digests(folder)
    assert key.read_bytes() == content
