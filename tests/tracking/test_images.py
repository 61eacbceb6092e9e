"""Images: the pixels that come back are those that were given, and what is no image is said in words."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as pillow

import fitbook
from fitbook.errors import InvalidValue
from fitbook.tracking import ActiveRun, _images


@pytest.fixture
def run() -> Iterator[ActiveRun]:
    with fitbook.start_run() as run:
        yield run


def _read(run: ActiveRun, path: str) -> pillow.Image:
    return pillow.open(io.BytesIO(run.artifacts.read(path)))


shapes = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda size: st.sampled_from([size, (*size, 1), (*size, 3), (*size, 4)])
)


@given(arrays.arrays(np.uint8, shapes))
def test_bytes_are_kept(pixels: Any) -> None:
    content = _images.encoded(_images.to_pillow(pixels), "a.png")
    back = np.array(pillow.open(io.BytesIO(content)))
    np.testing.assert_array_equal(back, pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[True, False]]), [255, 0]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 127, 255]),
        (np.array([[0, 255, 7]], dtype=np.int64), [0, 255, 7]),
        (np.array([[0, 1]], dtype=np.float32), [0, 255]),
    ],
)
def test_other_types_of_pixels(pixels: Any, expected: list[int]) -> None:
    assert fitbook.Image(pixels).to_list() == expected


@pytest.mark.parametrize(("pixels", "expected"), [([[-1.0, 3.0]], [0, 255]), ([[5.0, 5.0]], [0, 0])])
def test_floats_beyond_one_are_scaled_with_a_warning(pixels: Any, expected: list[int]) -> None:
    with pytest.warns(fitbook.FitbookWarning, match="scaled to 0 to 1"):
        assert fitbook.Image(pixels).to_list() == expected


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("a text that is no array", "got a str"),
        (np.zeros(3), "shape"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros((0, 2)), "shape"),
        (np.array([["a"]]), "pixels of type"),
        (np.array([[300]]), "300; 0 to 255"),
        (np.array([[-1]]), "-1 to -1; 0 to 255"),
        (np.array([[np.nan]]), "NaN or infinite"),
        (np.array([[np.inf]]), "NaN or infinite"),
    ],
)
def test_what_is_no_image_is_refused_before_anything_is_written(run: ActiveRun, image: Any, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        fitbook.log_image(image, "a.png")
    assert run.list_artifacts() == []


def test_files_of_several_formats(run: ActiveRun) -> None:
    image = pillow.new("RGBA", (3, 2), (1, 2, 3, 255))
    for name, kind in (("a.png", "PNG"), ("sub/b.webp", "WEBP"), ("c.tiff", "TIFF")):
        fitbook.log_image(image, name)
        assert (_read(run, name).format, _read(run, name).size) == (kind, (3, 2))
    with pytest.raises(InvalidValue, match="'d.jpg' can't be written.*Take '.png'"):
        fitbook.log_image(image, "d.jpg")
    with pytest.raises(InvalidValue, match="'e' needs an ending"):
        fitbook.log_image(image, "e")


def test_an_image_at_a_step(run: ActiveRun) -> None:
    fitbook.log_image(np.zeros((1000, 10), dtype=np.uint8), key="a/b c", step=7, timestamp=123)
    small, whole = sorted((info.path for info in run.list_artifacts("images")), key=lambda path: path.endswith(".png"))
    assert re.fullmatch(r"images/a~b c\+step\+7\+timestamp\+123\+[0-9a-f-]{36}\.png", whole)
    assert small == whole.removesuffix(".png") + "+compressed.webp"
    assert (_read(run, whole).size, _read(run, small).size) == ((10, 1000), (2, 256))
    assert run.data.tags["mlflow.loggedImages"] == "True"
    fitbook.log_image(np.zeros((1, 1000), dtype=np.uint8), key="k")
    assert any("k+step+0+timestamp+" in info.path for info in run.list_artifacts("images"))


@pytest.mark.parametrize(
    "names",
    [{}, {"artifact_file": "a.png", "key": "k"}, {"artifact_file": "a.png", "step": 0}, {"step": 1}, {"timestamp": 1}],
)
def test_a_file_or_a_key(run: ActiveRun, names: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="either artifact_file, or key"):
        fitbook.log_image(np.zeros((2, 2)), **names)


def test_keys_and_steps_have_rules(run: ActiveRun) -> None:
    for wrong in ({"key": "a+b"}, {"key": ""}, {"key": "k", "step": 1.5}, {"key": "k", "timestamp": "x"}):
        with pytest.raises(InvalidValue):
            fitbook.log_image(np.zeros((2, 2)), **wrong)  # type: ignore[arg-type]
    assert run.list_artifacts() == []


def test_mlflows_image_object(tmp_path: Path, run: ActiveRun) -> None:
    image = fitbook.Image(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))
    assert (image.size, image.to_list(), image.resize((4, 2)).size) == ((2, 1), [(1, 2, 3), (4, 5, 6)], (4, 2))
    image.save(tmp_path / "i.png")
    again = fitbook.Image(str(tmp_path / "i.png"))
    np.testing.assert_array_equal(again.to_array(), image.to_array())
    fitbook.log_image(again, "i.png")
    fitbook.Client().log_image(run.run_id, again.to_pil(), "j.png")
    assert run.artifacts.read("i.png") == run.artifacts.read("j.png")
