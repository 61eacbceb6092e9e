"""Reading files of runs, of models, and anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

import fitbook
from fitbook.errors import InvalidValue, NotFound


def test_downloads(tmp_path: Path) -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("x", "sub/a.txt")
        root = fitbook.get_artifact_uri()
        assert fitbook.get_artifact_uri("sub/a.txt") == f"{root}/sub/a.txt"
    for found in (
        fitbook.download_artifacts(run_id=run.run_id, artifact_path="sub/a.txt"),
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/a.txt"),
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/a.txt", dst_path=tmp_path / "new" / "er"),
    ):
        assert Path(found).read_text() == "x"
    copied = fitbook.download_artifacts(run_id=run.run_id, artifact_path="sub", dst_path=tmp_path)
    assert copied == str(tmp_path / "sub")
    assert (tmp_path / "sub" / "a.txt").read_text() == "x"
    with pytest.raises(NotFound, match="'sub/b.txt'.*'sub/a.txt'"):
        fitbook.download_artifacts(f"runs:/{run.run_id}/sub/b.txt")


@pytest.mark.parametrize("uri", ["", "runs:/", "runs:", "/etc/passwd", "s3://b/x", "runs://x/y"])
def test_artifact_uris_of_another_form_are_refused(uri: str) -> None:
    with pytest.raises(InvalidValue, match="not like runs:/<run_id>/<path>"):
        fitbook.download_artifacts(uri)


def test_a_slash_at_the_end_of_an_artifact_uri() -> None:
    with fitbook.start_run() as run:
        fitbook.log_text("x", "folder/a.txt")
    assert Path(fitbook.download_artifacts(f"runs:/{run.info.run_id}/folder/")).name == "folder"
