"""Tables: no row is lost, whoever adds at once, and they are read across runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as pillow

import fitbook
from fitbook.errors import InvalidValue, NotFound
from fitbook.tracking import Client

ADDING = """
import sys, fitbook
for n in range(15):
    fitbook.log_table({"who": [sys.argv[2]], "n": [n]}, sys.argv[3], run_id=sys.argv[1])
"""


def test_processes_add_to_one_table(tmp_path: Path) -> None:
    with fitbook.start_run() as run:
        pass
    several = [
        subprocess.Popen(
            [sys.executable, "-c", ADDING, run.run_id, str(who), f"t{who % 2}.json"], stderr=subprocess.PIPE
        )
        for who in range(4)
    ]
    for process in several:
        assert process.communicate()[1] == b""
    for name, who in (("t0.json", "02"), ("t1.json", "13")):
        rows = sorted(json.loads(run.artifacts.read(name))["data"])
        assert rows == sorted([each, n] for each in who for n in range(15))
    noted = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert sorted(each["path"] for each in noted) == ["t0.json", "t1.json"]


def test_tables_of_several_runs() -> None:
    ids = []
    for n in range(3):
        with fitbook.start_run(run_name=f"r{n}") as run:
            fitbook.log_param("n", n)
            if n < 2:
                fitbook.log_table({"id": ["007", str(n)], "run_id": ["mine", None]}, "sub/t.json")
            else:
                fitbook.log_table({"x": [1]}, "other.json")
        ids.append(run.run_id)
    table = fitbook.load_table("sub/t.json")
    assert table["id"].tolist() == ["007", "1", "007", "0"]
    with pytest.warns(fitbook.FitbookWarning, match="'run_id'; that of the run is 'run_id_'"):
        table = fitbook.load_table("sub/t.json", [ids[0]], ["run_id", "params.n", "start_time"])
    assert list(table.columns) == ["id", "run_id", "run_id_", "params.n", "start_time"]
    assert set(table["run_id_"]) == {ids[0]}
    assert set(table["params.n"]) == {"0"}
    with pytest.warns(fitbook.FitbookWarning, match="left out"):
        assert len(fitbook.load_table("sub/t.json", ids)) == 4
    fitbook.set_experiment("elsewhere")
    with pytest.raises(NotFound, match=r"No table 'sub/t.json'"):
        fitbook.load_table("sub/t.json")
    assert len(Client().load_table("0", "sub/t.json")) == 4


def test_tables_that_can_not_be_read() -> None:
    with fitbook.start_run() as run:
        fitbook.log_table({"a": [1]}, "t.json")
        fitbook.log_text("[1]", "t.json")
    with pytest.raises(InvalidValue, match=r"'t.json' is no table"):
        fitbook.load_table("t.json")
    with pytest.raises(InvalidValue, match=r"must be called .json"):
        fitbook.load_table("t.parquet")
    with pytest.raises(NotFound, match="No run 'ffff"):
        fitbook.load_table("t.json", ["f" * 32])
    fitbook.log_table({"a": [1]}, "u.json", run.run_id)
    with pytest.raises(InvalidValue, match=r"extra_columns has 'params.none'; there is 'run_id'"):
        fitbook.load_table("u.json", extra_columns=["params.none"])


def test_a_note_of_tables_that_is_nonsense_is_written_anew() -> None:
    with fitbook.start_run() as run:
        for nonsense in ("no json", "3"):
            fitbook.set_tag("mlflow.loggedArtifacts", nonsense)
            fitbook.log_table({"a": [1]}, "t.json")
            assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [{"path": "t.json", "type": "table"}]


def test_images_in_a_table_are_files_of_their_own() -> None:
    images = [pillow.new("RGB", (300, 10)), fitbook.Image(np.zeros((2, 2), dtype=np.uint8))]
    table = pd.DataFrame({"i": images, "n": [1, 2]})
    with fitbook.start_run() as run:
        fitbook.log_table(table, "sub/t.json")
    assert table["i"].tolist() == images
    first, second = (row[0] for row in json.loads(run.artifacts.read("sub/t.json"))["data"])
    assert first["type"] == "image"
    assert fitbook.artifacts.load_image(f"runs:/{run.run_id}/{first['filepath']}").size == (300, 10)
    assert fitbook.artifacts.load_image(f"runs:/{run.run_id}/{first['compressed_filepath']}").size == (256, 8)
    assert second["filepath"].startswith("table_images/sub/t/")
    mixed: Any = {"i": [images[0], 3]}
    with pytest.raises(InvalidValue, match="'i' has images and other things"):
        fitbook.log_table(mixed, "u.json", run.run_id)
