import io
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LogisticRegression, Ridge

from fitbook.autolog.sklearn._canvas import Canvas
from fitbook.autolog.sklearn._importances import importances
from fitbook.autolog.sklearn._metrics import confusion_table
from fitbook.autolog.sklearn._panel import numbers, round_ticks
from fitbook.autolog.sklearn._plots import bars, confusion_matrix, pictures, predicted_vs_true
from fitbook.autolog.sklearn._report import Report, training_report
from fitbook.autolog.sklearn._table import Table


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def described(model, X, y):
    model.fit(X, y)
    return training_report(model, X, y, fit_seconds=1.0, budget_ms=1000.0), importances(model)


def test_names_of_pictures():
    found = pictures(*described(LogisticRegression(), *make_classification(200, 4, random_state=0)))
    assert set(found) == {
        "training_confusion_matrix.png",
        "training_roc_curve.png",
        "training_precision_recall_curve.png",
        "coefficients.png",
    }
    found = pictures(*described(Ridge(), *load_diabetes(return_X_y=True)))
    assert set(found) == {"training_predicted_vs_true.png", "coefficients.png"}
    assert pictures(Report()) == {}


def test_pictures_are_the_same_from_any_thread():
    found = list(pictures(*described(LogisticRegression(), *make_classification(200, 4, random_state=0))).values())
    alone = [draw() for draw in found]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda i: found[i % 4](), range(40))) == alone * 10


@pytest.fixture
def words(monkeypatch):
    """Everything that was written on a picture."""
    written = []
    original = Canvas.text

    def text(self, x, y, words, **style):
        written.append(words)
        original(self, x, y, words, **style)

    monkeypatch.setattr(Canvas, "text", text)
    return written


def matrix(n):
    return confusion_table(np.eye(n, dtype=int) * 3 + 1, [f"class {i}" for i in range(n)])


@pytest.mark.parametrize(("n", "numbers"), [(2, 4), (12, 144), (30, 900), (31, 0), (300, 0)])
def test_numbers_up_to_thirty_classes(words, n, numbers):
    png = confusion_matrix(matrix(n), "training data, 9 rows")
    assert sum(word.replace(".", "").isdigit() for word in words) == numbers
    assert max(pixels(png).shape) < 1200
    assert any("training data, 9 rows" in word for word in words)
    if n == 300:
        assert any("first 200 of 300 classes" in word for word in words)


def test_cells_are_as_dark_as_their_share():
    table = Table({"true": [0, 0, 1, 1], "predicted": [0, 1, 0, 1], "count": [10, 0, 5, 5]}, kind="confusion_matrix")
    image = pixels(confusion_matrix(table, ""))
    areas = {
        tuple(color): n for color, n in zip(*np.unique(image.reshape(-1, 3), axis=0, return_counts=True), strict=True)
    }
    full, half = (33, 92, 158), (144, 173, 207)
    assert areas[full] > 20_000
    assert areas[half] > 40_000


def test_only_twenty_bars_and_it_says_so(words):
    table = Table({"feature": [f"f{i}" for i in range(3412)], "coefficient": range(3412, 0, -1)}, kind="coefficients")
    bars(table)
    assert "top 20 of 3,412 features by magnitude" in words
    assert "f19" in words
    assert "f20" not in words


def test_a_sample_is_called_a_sample(words):
    report = Report(rows_used=500, n_rows=2000, kind="regressor")
    report.curves["predicted_vs_true"] = Table({"true": [1.0, 2.0], "predicted": [1.0, 2.5]}, kind="predicted_vs_true")
    pictures(report)["training_predicted_vs_true.png"]()
    assert any("500 of 2,000 rows" in word for word in words)


@pytest.mark.parametrize(
    "label", ["", "$x^$", "数学", "a" * 500, "two\nlines", "\x00", "\U0001f600", "{}%s\\", "\ud800"], ids=ascii
)
def test_odd_names_are_drawn_literally(label):
    table = Table({"feature": [label, "b"], "importance": [2.0, 1.0]}, kind="feature_importances")
    assert pixels(bars(table)).shape[1] < 900
    cells = Table({"true": [label, "b"], "predicted": [label, "b"], "count": [1, 2]}, kind="confusion_matrix")
    assert pixels(confusion_matrix(cells, label)).shape[1] < 900


@pytest.mark.parametrize(
    "values", [[0.0, 0.0], [1e300, -1e300], [float("nan"), 1.0], [1e-300, 0], [5.0], [float("inf")]]
)
def test_extreme_numbers(values):
    names = [str(i) for i in range(len(values))]
    assert bars(Table({"feature": names, "coefficient": values}, kind="coefficients"))
    assert predicted_vs_true(Table({"true": values, "predicted": values}, kind="predicted_vs_true"), float("nan"), "")


def test_no_plotting_library_is_imported():
    code = """
        import sys
        from fitbook.autolog.sklearn._plots import bars
        from fitbook.autolog.sklearn._table import Table
        bars(Table({"feature": ["a"], "importance": [1.0]}, kind="feature_importances"))
        assert not {"matplotlib", "pandas", "sklearn"} & set(sys.modules), sorted(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, 7.5), (1e-9, 3e-9), (-1e12, 1e12), (99.99, 100.01)])
def test_ticks_are_few_round_and_told_apart(low, high):
    ticks = round_ticks(low, high)
    assert 3 <= len(ticks) <= 9
    assert all(low - 1e-9 * abs(low) <= tick <= high * (1 + 1e-9) for tick in ticks)
    assert len(set(numbers(ticks))) == len(ticks)
