from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from sklearn.metrics import classification_report

from fitbook.autolog.sklearn._results import as_text, frozen, numbers_of, report_of

Y = np.array([0, 1, 2, 1, 0, 2])
P = np.array([0, 1, 2, 0, 0, 1])
WORDS = np.array(["no", "perhaps", "yes"])


def of(name: str, *args: Any, **options: Any) -> tuple[dict[str, float], Any]:
    result = getattr(sklearn.metrics, name)(*args, **options)
    return numbers_of(name, {"y_true": args[0], "y_pred": args[1], **options}, result), result


def test_a_number_is_a_number() -> None:
    assert of("accuracy_score", Y, P) == ({"": 4 / 6}, 4 / 6)
    assert numbers_of("my_metric", {}, np.float32(0.5)) == {"": 0.5}
    assert numbers_of("my_metric", {}, True) == {}


@pytest.mark.parametrize("name", ["f1_score", "precision_score", "recall_score", "jaccard_score"])
def test_without_an_average_each_class_has_its_own(name: str) -> None:
    for options, names in (({}, "012"), ({"labels": [2, 0]}, "20"), ({"labels": np.array([1])}, "1")):
        numbers, values = of(name, Y, P, average=None, **options)
        assert numbers == {f".class_{label}": value for label, value in zip(names, values, strict=True)}
    numbers, values = of(name, WORDS[Y].astype(object), WORDS[P].tolist(), average=None)
    assert list(numbers) == [".class_no", ".class_perhaps", ".class_yes"]
    assert list(numbers.values()) == values.tolist()


def test_classes_that_can_not_be_told_are_numbered() -> None:
    rng = np.random.default_rng(0)
    several = rng.integers(0, 2, (20, 3))
    numbers, _ = of("f1_score", several, several, average=None)
    assert list(numbers) == [".class_0", ".class_1", ".class_2"]
    numbers, _ = of("roc_auc_score", several, rng.random((20, 3)), average=None)
    assert list(numbers) == [".class_0", ".class_1", ".class_2"]


def test_parts_have_names() -> None:
    numbers, (precision, recall, fscore, _) = of("precision_recall_fscore_support", Y, P, average="macro")
    assert numbers == {".precision": precision, ".recall": recall, ".fscore": fscore}
    numbers, parts = of("precision_recall_fscore_support", Y, P)
    names = ("precision", "recall", "fscore", "support")
    assert numbers == {f".{n}.class_{i}": part[i] for n, part in zip(names, parts, strict=True) for i in range(3)}
    numbers, values = of("homogeneity_completeness_v_measure", Y, P)
    assert numbers == dict(zip((".homogeneity", ".completeness", ".v_measure"), values, strict=True))
    numbers, values = of("class_likelihood_ratios", [0, 1, 1, 0], [0, 1, 0, 1])
    assert numbers == {".positive": values[0], ".negative": values[1]}


def test_each_output_has_its_own_if_asked_for() -> None:
    true, predicted = np.arange(8.0).reshape(4, 2), np.arange(8.0).reshape(4, 2) ** 1.1
    numbers, values = of("mean_squared_error", true, predicted, multioutput="raw_values")
    assert numbers == {".output_0": values[0], ".output_1": values[1]}


@pytest.mark.parametrize("result", [np.eye(3), (np.arange(3.0), np.arange(3.0)), "text", None, [1.0], np.array(["a"])])
def test_what_is_no_number_has_none(result: Any) -> None:
    assert numbers_of("roc_curve", {"average": "macro"}, result) == {}


def test_of_too_many_classes_there_are_none() -> None:
    many = np.arange(150)
    assert of("f1_score", many, many, average=None)[0] == {}


@pytest.mark.parametrize("options", [{}, {"target_names": ["a", "b", "c"]}, {"labels": [2, 0]}])
def test_a_report_s_text_and_dictionary_are_the_same_numbers(options: Any) -> None:
    parts: list[Any] = []
    text = classification_report(Y, P, **options)
    labels = np.asarray(options.get("labels", [0, 1, 2]))
    for average in (None, "micro", "macro", "weighted"):
        arguments = {"labels": labels, "average": average}
        parts.append((arguments, sklearn.metrics.precision_recall_fscore_support(Y, P, **arguments)))
    from_text = numbers_of("classification_report", {}, report_of(text, options.get("target_names"), parts))
    whole = classification_report(Y, P, output_dict=True, **options)
    from_dict = numbers_of("classification_report", {}, whole)
    assert from_text == from_dict
    assert from_dict[".macro avg.f1-score"] == whole["macro avg"]["f1-score"]
    assert ".accuracy" in from_dict or "labels" in options


def test_what_is_frozen_does_not_change_and_can_be_written() -> None:
    matrix = np.eye(2)
    result = {"cells": matrix, 3: (np.float64(0.5), None, True, "x", np.array(["a"])), "odd": object()}
    kept, size = frozen(result)
    matrix[:] = 9
    assert json.loads(as_text(kept)) == {"cells": [[1, 0], [0, 1]], "3": [0.5, None, True, "x", ["a"]], "odd": "object"}
    assert size == 10
    assert as_text(frozen("a report")[0]) == "a report"
