from __future__ import annotations

from pathlib import Path

from fitbook.artifacts import LocalArtifacts
from fitbook.entities import FileInfo
from fitbook.transfer._copying import copy_files
from fitbook.transfer._summary import Summary


class Unreadable(LocalArtifacts):
    """Files of which one can't be opened, as another user's; root may open those."""

    def local_path(self, path: str = "") -> Path:
        return self.root if path == "theirs" else super().local_path(path)

    def find(self, path: str = "") -> list[FileInfo]:
        return [FileInfo("theirs", False, 1), *super().find(path)]


def test_a_file_that_can_not_be_read_costs_no_other(tmp_path: Path) -> None:
    LocalArtifacts(tmp_path / "source").put("ours", b"1")
    summary = Summary()
    copied = copy_files(Unreadable(tmp_path / "source"), LocalArtifacts(tmp_path / "target"), summary, "run")
    assert [file.path for file in copied] == ["ours"]
    assert [(p.kind, p.key) for p in summary.problems] == [("file", "run/theirs")]


def test_a_folder_whose_name_is_refused_is_left_out(tmp_path: Path) -> None:
    source, summary = LocalArtifacts(tmp_path / "source"), Summary()
    source.put("file", b"1")
    assert copy_files(source, LocalArtifacts(tmp_path / "target"), summary, "run", under="model ") == []
    assert [(p.kind, p.key) for p in summary.problems] == [("files", "run/model ")]
