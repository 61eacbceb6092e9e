"""Runs and versions side by side, as a table and as a report."""

from __future__ import annotations

import os
import pickle
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import confusion_matrix, roc_curve
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook.errors import InvalidValue, NotFound
from fitbook.flavors import _trust

EVIL = '<script>alert("&\'")</script>'


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    X, y = load_breast_cancer(return_X_y=True)
    return X[:200, :5], y[:200]


class Reader(HTMLParser):
    """Collects what a browser would see: the elements, and the text in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def two_runs() -> list[str]:
    ids = []
    for name, rate in (("slow", 0.1), ("fast", 1.0)):
        with fitbook.start_run(run_name=name) as run:
            fitbook.log_params({"rate": rate, "shared": "same"})
            fitbook.log_metrics({"accuracy": rate / 2, "loss": rate})
            ids.append(run.info.run_id)
    return ids


def test_parameters_that_differ_and_all_metrics() -> None:
    ids = two_runs()
    table = fitbook.compare(ids)
    assert list(table.index) == ["slow", "fast"]
    assert list(table.columns) == ["run_id", "status", "params.rate", "metrics.accuracy", "metrics.loss"]
    assert list(table["params.rate"]) == ["0.1", "1.0"]
    assert table["metrics.accuracy"].tolist() == [0.05, 0.5]
    assert table.attrs["significance"] == []


def test_what_can_be_compared() -> None:
    first, second = two_runs()
    client = fitbook.Client()
    client.create_registered_model("m")
    version = client.create_model_version("m", "runs:/x/model", first)
    client.set_registered_model_alias("m", "best", 1)
    sides = [
        first,
        client.get_run(second),
        version,
        "models:/m/1",
        "models:/m@best",
        "models:/m/latest",
        "m/1",
        "m@best",
    ]
    table = fitbook.compare(sides)
    assert list(table["run_id"]) == [first, second, *[first] * 6]
    found = fitbook.search_runs()
    assert list(fitbook.compare(found)["run_id"]) == list(found["run_id"])
    with fitbook.start_run() as active:
        assert fitbook.compare([active, first])["run_id"].tolist() == [active.info.run_id, first]


def test_labels_that_several_have_are_told_apart() -> None:
    ids = [run_id for _ in range(2) for run_id in two_runs()]
    assert list(fitbook.compare(ids).index) == [
        f"{name} ({run_id[:8]})" for name, run_id in zip(("slow", "fast") * 2, ids, strict=True)
    ]


def test_what_can_not_be_compared_is_said(tmp_path: Path) -> None:
    ids = two_runs()
    client = fitbook.Client()
    client.create_registered_model("m")
    client.create_model_version("m", "/somewhere")
    wrong: list[tuple[Any, type[Exception], str]] = [
        ([], InvalidValue, "takes two"),
        (ids[:1], InvalidValue, "takes two"),
        (ids[0], InvalidValue, "takes a list"),
        ([*ids, 3], InvalidValue, "got a int"),
        ([*ids, "0" * 32], NotFound, "run"),
        ([*ids, "models:/m/1"], InvalidValue, "comes from no run"),
        ([*ids, "models:/m/9"], NotFound, "m/9"),
        ([*ids, "models:/m-" + "0" * 32], InvalidValue, "no version of a registered model"),
    ]
    for sides, kind, said in wrong:
        with pytest.raises(kind, match=said):
            fitbook.compare(sides, html=tmp_path / "r.html")
    assert list(tmp_path.glob("*.html")) == []


def test_a_report_has_all_and_needs_nothing_else(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data
    fitbook.autolog(log_plots=False)
    ids = []
    for model in (GaussianNB(), DecisionTreeClassifier(max_depth=2)):
        model.fit(X, y)
        confusion_matrix(y, model.predict(X))
        roc_curve(y, model.predict_proba(X)[:, 1])
        run = fitbook.last_active_run()
        assert run is not None
        ids.append(run.info.run_id)
    fitbook.flush()

    def never(*args: object, **more: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(_trust, "loads", never)
    monkeypatch.setattr(pickle, "loads", never)
    fitbook.compare(ids, html=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    seen = Reader(text)
    sections = re.findall(r"<h2>(.*?)</h2>", text)
    assert sections[:4] == ["Params that differ", "Metrics", "Significance over folds", "Curves"]
    assert sections[4:] == ["confusion_matrix_X", "training_confusion_matrix"]
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert {"roc_curve_X", "training_roc_curve", "training_precision_recall_curve"} <= set(captions)
    assert seen.elements.count("polyline") == 6  # three curves of two models
    assert text.count('class="matrix"') == 4
    assert "max_depth" in seen.text
    assert {"script", "img", "link", "iframe", "a"}.isdisjoint(seen.elements)
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("src", "href")]
    assert (tmp_path / "r.html").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_curves_of_iterations(tmp_path: Path) -> None:
    ids = []
    for rate in (0.001, 0.01):
        with fitbook.start_run() as run:
            for step in range(5):
                fitbook.log_metric("loss", rate / (step + 1), step)
            fitbook.log_metric("constant", 1.0)
            fitbook.log_metric("broken", float("nan"), 0)
            fitbook.log_metric("broken", float("inf"), 1)
        ids.append(run.info.run_id)
    fitbook.compare(ids, html=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", text) == ["loss"]
    assert text.count("<polyline") == 2
    places = re.findall(r'points="([^"]*)"', text)
    assert all(len(place.split()) == 5 for place in places)
    assert np.isfinite([float(number) for place in places for number in re.split("[ ,]", place)]).all()


def test_the_better_value_stands_out_where_one_is_better(tmp_path: Path) -> None:
    runs = []
    for value in (1.0, 2.0):
        with fitbook.start_run() as run:
            fitbook.log_metrics(dict.fromkeys(("auc", "loss", "fitbook.overhead_ms", "best_std_test_score"), value))
        runs.append(run.info.run_id)
    fitbook.compare(runs, html=tmp_path / "report.html")
    rows = re.findall(r"<tr><td>([\w.]+)</td>((?:<td[^>]*>[\d.]+</td>)+)</tr>", (tmp_path / "report.html").read_text())
    marked = {key: ["best" in cell for cell in cells.split("</td>")[:2]] for key, cells in rows}
    neither = [False, False]
    assert marked == {
        "auc": [False, True],
        "loss": [True, False],
        "fitbook.overhead_ms": neither,
        "best_std_test_score": neither,
    }


def test_every_text_is_escaped(tmp_path: Path) -> None:
    ids = []
    for n in (1, 2):
        with fitbook.start_run(run_name=f"{EVIL}{n}") as run:
            fitbook.log_param("p", f"{EVIL}{n}")
            fitbook.log_metric("m", n)
            fitbook.log_text(f"true,predicted,count\n{EVIL},{EVIL},3\n", "evil_confusion_matrix.csv")
            ids.append(run.info.run_id)
    fitbook.compare(ids, html=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script" not in text
    seen = Reader(text)
    assert seen.text.count(EVIL) >= 8
    assert "default-src 'none'" in text


def test_names_beside_a_test_are_escaped(tmp_path: Path) -> None:
    tags = {"fitbook.search.folds": '{"digest": "d", "metric": "score"}'}
    ids = []
    with fitbook.start_run(tags=tags):
        for n in range(2):
            with fitbook.start_run(run_name=f"{EVIL}{n}", nested=True, tags={"fitbook.candidate": str(n)}) as run:
                fitbook.log_metrics({f"split{k}_test_score": (n + 1) / (k + 3) for k in range(3)})
            ids.append(run.info.run_id)
    fitbook.compare(ids, html=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"{EVIL}1 − {EVIL}0" in Reader(text).text
    assert "<script" not in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("confusion_matrix.csv", "true,predicted\n1,2\n"),
        ("confusion_matrix.csv", "true,predicted,count\n0,0,1\n0,1,2\n"),
        ("confusion_matrix.csv", "true,predicted,count\n0,0,inf\n"),
        ("confusion_matrix_X.json", "[[1, 2], [3]]"),
        ("confusion_matrix_X.json", "[" * 100_000),
        ("confusion_matrix_X.json", '{"a": 1}'),
        ("roc_curve_X.json", "[]"),
        ("roc_curve_X.json", "[[0, 1], [0]]"),
        ("training_roc_curve.csv", "fpr,tpr\n0,zero\n"),
        ("training_roc_curve.csv", "\x00\x01"),
        ("training_roc_curve.csv", ""),
    ],
)
def test_files_that_can_not_be_read_are_passed_over(name: str, content: str, tmp_path: Path) -> None:
    first, second = two_runs()
    client = fitbook.Client()
    client.log_text(first, content, name)
    client.log_text(second, "fpr,tpr\n0,0\n1,1\n", "good_roc_curve.csv")
    fitbook.compare([first, second], html=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", text) == ["good_roc_curve"]
    assert 'class="matrix"' not in text


def test_many_classes_are_said_and_not_drawn(tmp_path: Path) -> None:
    ids = two_runs()
    rows = [[1] * 31] * 31
    fitbook.Client().log_text(ids[0], str(rows), "confusion_matrix_X.json")
    fitbook.compare(ids, html=tmp_path / "r.html")
    assert "31 classes are too many" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_significance_over_the_same_folds(data: Any, tmp_path: Path) -> None:
    fitbook.autolog(log_plots=False, registered_model_name="m")
    for model in (DecisionTreeClassifier(max_depth=1), DecisionTreeClassifier(max_depth=3)):
        GridSearchCV(model, {"class_weight": [None, "balanced"]}, cv=4).fit(*data)
    GridSearchCV(DecisionTreeClassifier(max_depth=1), {"max_features": [1]}, cv=3).fit(*data)
    fitbook.flush()
    table = fitbook.compare([f"models:/m/{n}" for n in (1, 2, 3)], html=tmp_path / "r.html")
    [found] = table.attrs["significance"]
    assert (found["new"], found["old"], found["metric"], found["folds"]) == ("m/2", "m/1", "score", 4)
    assert 0 <= found["p"] <= 1
    text = Reader((tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert "m/2 − m/1" in text
    assert f"{found['p']:.4g}" in text


def test_a_report_that_can_not_be_written_leaves_nothing(tmp_path: Path) -> None:
    ids = two_runs()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "no" / "r.html", tmp_path / "folder", tmp_path / "file" / "r.html"):
        with pytest.raises(InvalidValue, match="can't be written"):
            fitbook.compare(ids, html=path)
    assert (tmp_path / "file").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file", "fitbook-runs"}
    assert list((tmp_path / "folder").iterdir()) == []
