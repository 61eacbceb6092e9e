"""Where data comes from: told from what users give, kept in MLflow's form, and loaded again."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fitbook
from fitbook.data import CodeDatasetSource, UriDatasetSource, from_pandas, get_dataset_source_from_json, get_source
from fitbook.errors import InvalidValue, NotFound

FRAME = pd.DataFrame({"a": [1]})


@pytest.mark.parametrize(
    ("source", "kind", "content"),
    [
        ("/tmp/x.csv", "local", {"uri": "/tmp/x.csv"}),
        (Path("x.csv"), "local", {"uri": "x.csv"}),
        ("file:///tmp/x.csv", "local", {"uri": "file:///tmp/x.csv"}),
        ("s3://bucket/x", "s3", {"uri": "s3://bucket/x"}),
        ("https://host/x.csv", "http", {"url": "https://host/x.csv"}),
    ],
)
def test_sources_are_told_apart_and_made_again(source: Any, kind: str, content: dict[str, str]) -> None:
    data = from_pandas(FRAME, source=source)
    assert (data.source.source_type, data.source.to_dict()) == (kind, content)
    with fitbook.start_run() as run:
        fitbook.log_input(data)
    (used,) = run.inputs.dataset_inputs
    for place in (data, used, used.dataset):
        again = get_source(place)
        assert (type(again), again.to_dict()) == (type(data.source), content)


def test_without_a_source_it_is_the_program() -> None:
    source = from_pandas(FRAME).source
    assert isinstance(source, CodeDatasetSource)
    assert source.tags["mlflow.source.type"] == "LOCAL"
    assert get_dataset_source_from_json(source.to_json(), "code").to_dict() == source.to_dict()
    with pytest.raises(InvalidValue, match="was made by .*; run it again"):
        source.load()


def test_mlflows_sources_are_taken() -> None:
    class Theirs:
        def to_json(self) -> str:
            return '{"uri": "x"}'

        def _get_source_type(self) -> str:
            return "theirs"

    described = from_pandas(FRAME, source=Theirs()).to_dict()
    assert (described["source"], described["source_type"]) == ('{"uri": "x"}', "theirs")


@pytest.mark.parametrize("wrong", [3, "", object()])
def test_what_is_no_source_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="give a path, a URI or a web address"):
        from_pandas(FRAME, source=wrong)


@pytest.mark.parametrize(
    ("text", "kind"), [("no json", "local"), ("[1]", "local"), ("{}", "other"), ('{"uri": 3}', "s3")]
)
def test_sources_that_nobody_knows(text: str, kind: str) -> None:
    with pytest.raises(InvalidValue, match="source"):
        get_dataset_source_from_json(text, kind)
    with pytest.raises(InvalidValue, match="is no data set"):
        get_source(3)


def test_files_are_loaded(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a\n1\n")
    assert UriDatasetSource(str(file)).load() == str(file)
    assert Path(UriDatasetSource(file.as_uri()).load(tmp_path / "to")).read_text() == "a\n1\n"
    with fitbook.start_run() as run:
        fitbook.log_artifact(file, "data")
    uri = f"runs:/{run.run_id}/data/x.csv"
    assert Path(UriDatasetSource(uri).load()).read_text() == "a\n1\n"
    with pytest.raises(NotFound):
        UriDatasetSource(str(tmp_path / "none")).load()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if "none" in self.path else 200)
            self.end_headers()
            self.wfile.write(b"content")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/x.csv?y=1", "x.csv"), ("", "dataset_source"), ("/..", "dataset_source"), ("/a%2F..%2Fb", "b")],
)
def test_web_addresses_are_downloaded_under_a_plain_name(web: str, path: str, name: str, tmp_path: Path) -> None:
    found = Path(from_pandas(FRAME, source=web + path).source.load(tmp_path / "to"))
    assert (found.parent, found.name, found.read_bytes()) == (tmp_path / "to", name, b"content")
    assert Path(from_pandas(FRAME, source=web + path).source.load()).name == name
    with pytest.raises(NotFound, match="can't be downloaded"):
        from_pandas(FRAME, source=f"{web}/none").source.load()
