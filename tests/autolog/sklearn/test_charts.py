from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fitbook.autolog.sklearn._canvas import Canvas
from fitbook.autolog.sklearn._charts import among, curves, reliability
from fitbook.autolog.sklearn._panel import BLUE, ORANGE


def colors(png: bytes) -> set[tuple[int, ...]]:
    """The colours that more than a few pixels have."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    found, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(color.tolist()) for color, count in zip(found, counts, strict=True) if count > 30}


def rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that was written on a picture."""
    written: list[str] = []
    original = Canvas.text

    def text(self: Canvas, x: float, y: float, words: str, **style: Any) -> None:
        written.append(words)
        original(self, x, y, words, **style)

    monkeypatch.setattr(Canvas, "text", text)
    return written


def test_each_curve_has_its_colour_and_its_name(words: list[str]) -> None:
    lines = {"test_score": ([0.1, 0.2, 0.4], [0.1, 0.1, 0.1]), "train_score": ([0.5, 0.6, 0.7], None)}
    assert {rgb(BLUE), rgb(ORANGE)} <= colors(curves("Title", "about", "rows", "score", [10, 20, 40], lines))
    assert {"Title", "about", "rows", "score", "test_score", "train_score", "20", "40"} <= set(words)


def test_folds_are_counted_and_texts_stand_at_equal_distances(words: list[str]) -> None:
    curves("", "", "fold", "", range(3), {"a": ([1, 2, 3], None)})
    assert {"0", "1", "2"} <= set(words)
    assert "0.5" not in words
    words.clear()
    curves("", "", "C", "", ["0.01", "100", "none"], {"a": ([1, 2, 3], None)})
    assert {"0.01", "100", "none"} <= set(words)


def test_more_curves_than_colours_are_said_to_be_more(words: list[str]) -> None:
    curves("", "", "", "", [0, 1], {str(i): ([i, i], None) for i in range(9)})
    assert "6 of 9 curves" in words
    assert "7" not in words


@pytest.mark.parametrize(
    "values", [[np.nan] * 3, [0.5, np.nan, np.inf], [1e300, -1e300, 0.0], [1e-300, 0, 0], [0, 0, 0]], ids=str
)
def test_any_numbers_can_be_drawn_without_a_warning(values: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert curves("", "", "", "", [1, 2, 3], {"a": (values, values)})
        assert curves("", "", "", "", [7], {"a": (values[:1], None)})
        assert among("", "", "", values, values[0], "score")


def test_where_a_value_stands_among_many(words: list[str]) -> None:
    png = among("Title", "", "score", np.linspace(0.4, 0.6, 50).tolist(), 0.9, "score 0.9")
    assert {rgb(BLUE), rgb(ORANGE)} <= colors(png)
    assert {"score 0.9", "how often"} <= set(words)


def test_reliability_of_one_bin_and_of_several() -> None:
    assert rgb(BLUE) in colors(reliability("", "", [0.1, 0.5, 0.9], [0.2, 0.4, 0.9]))
    assert reliability("", "", [0.5], [1.0])
