"""The plugin sees what it is for, and a share of scikit-learn's own suite ends the same with autologging on."""

from __future__ import annotations

from pathlib import Path

import pytest

from fitbook.testing.suite_run import MODES, Comparison, compare, folders_of, main, start

# What fitbook could do to somebody's suite. Each of these tests does it when autologging is on.
_SHOP = """
import threading
import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score

from fitbook._log import FitbookWarning
from fitbook.autolog._guard import inside, quietly
from fitbook.autolog._session import FitHook, hook_fit
from fitbook.tracking._writer import writer

X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2


@pytest.fixture
def on(request):
    return request.config.getoption("--fitbook") == "full"


def test_fits():
    model = LogisticRegression().fit(X, y)
    accuracy_score(y, model.predict(X))


def test_draws_itself():
    np.random.rand()
    warnings.simplefilter("ignore", BytesWarning)


@pytest.mark.parametrize("one", range(3))
def test_sampled(one):
    pass


def test_fails(on):
    assert not on


def test_is_skipped(on):
    if on:
        pytest.skip("")


def test_draws(on):
    if on:
        np.random.rand()


def test_leaves_a_thread(on):
    if on:
        threading.Thread(target=threading.Event().wait, name="left", daemon=True).start()


def test_stays_inside(on):
    if on:
        inside.set(1)


def test_swallows(on):
    inside.set(0)
    if on:
        with quietly("pricing"):
            raise ValueError("no price")


def test_writes_in_vain(on):
    if on:
        writer.later(lambda: 1 / 0)


def test_warns():
    warnings.warn("told", FitbookWarning)


def test_stacks(on):
    class Stacked(DummyClassifier):
        def fit(self, X, y=None):
            return self

    if on:
        Stacked.fit = hook_fit(Stacked.fit, FitHook(lambda *_: None))
    globals()["kept"] = Stacked
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a package with tests of its own."""
    folder = tmp_path / "packages" / "shop" / "tests"
    folder.mkdir(parents=True)
    for file in (folder.parent / "__init__.py", folder / "__init__.py"):
        file.touch()
    (folder / "test_shop.py").write_text(_SHOP)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    return tmp_path / "results"


def run(folder: Path, parts: list[str], *options: str) -> Comparison:
    """Run tests in both modes side by side, each in one process."""
    for process in [start(parts[0], mode, folder, *parts[1:], *options) for mode in MODES]:
        process.wait()
    return compare(folder, parts)


def test_what_fitbook_does_to_a_suite_is_seen(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folders_of("shop") == ["shop/tests"]
    found = run(shop, folders_of("shop"))
    case = "shop/tests/test_shop.py::{}".format
    assert [str(one) for one in found.outcomes] == [
        "shop.tests.test_shop::test_fails: passed -> failed",
        "shop.tests.test_shop::test_is_skipped: passed -> skipped",
    ]
    left = {test: list(changes) for test, changes in found.states.items()}
    stacked = left.pop(case("test_stacks"))
    assert left == {
        case("test_draws"): ["global random numbers"],
        case("test_leaves_a_thread"): ["threads"],
        case("test_stays_inside"): ["fitbook.inside"],
    }
    assert stacked == ["hooks of test_stacks.<locals>.Stacked.fit"]
    assert [one[:2] for one in found.swallowed] == [
        [case("test_swallows"), "pricing"],
        [case("test_writes_in_vain"), "a background write"],
    ]
    assert {one[0] for one in found.warned} == {case("test_swallows"), case("test_warns")}
    assert found.runs == {"FINISHED": 1}
    assert found.cases == 14
    assert not found.is_equal

    assert main([str(shop), *folders_of("shop"), "--compare"]) == 1
    told = capsys.readouterr().out
    assert "\noutcomes changed: 2\nerrors swallowed: 2\n" in told
    assert "\nruns recorded: 1 FINISHED\n" in told


def test_a_sample_is_spread_over_each_file(shop: Path) -> None:
    found = run(shop, folders_of("shop"), "--fitbook-sample=5")
    assert found.cases == 5
    assert [one.case for one in found.outcomes] == ["shop.tests.test_shop::test_is_skipped"]


# From every corner, and in all versions of scikit-learn that fitbook supports. None that takes long to collect or to run,
# and none with threads: they leave other warning filters from time to time, with fitbook or without.
SHARE = """
    tests/test_base.py tests/test_calibration.py tests/test_discriminant_analysis.py
    tests/test_dummy.py tests/test_metadata_routing.py tests/test_metaestimators.py tests/test_multiclass.py
    tests/test_naive_bayes.py tests/test_pipeline.py cluster/tests/test_k_means.py compose/tests/test_column_transformer.py
    compose/tests/test_target.py cross_decomposition/tests/test_pls.py decomposition/tests/test_pca.py
    ensemble/tests/test_voting.py ensemble/tests/test_weight_boosting.py feature_selection/tests/test_from_model.py
    feature_selection/tests/test_rfe.py impute/tests/test_impute.py
    linear_model/tests/test_base.py linear_model/tests/test_coordinate_descent.py linear_model/tests/test_ransac.py
    linear_model/tests/test_ridge.py metrics/_plot/tests/test_confusion_matrix_display.py
    metrics/tests/test_classification.py metrics/tests/test_ranking.py metrics/tests/test_score_objects.py
    mixture/tests/test_gaussian_mixture.py model_selection/tests/test_search.py model_selection/tests/test_split.py
    neural_network/tests/test_mlp.py preprocessing/tests/test_data.py
    svm/tests/test_svm.py tree/tests/test_tree.py utils/tests/test_validation.py
"""


@pytest.mark.timeout(900)
def test_a_share_of_scikit_learn_s_suite_ends_the_same(tmp_path: Path) -> None:
    found = run(tmp_path, [f"sklearn/{file}" for file in SHARE.split()], "--fitbook-sample=5")
    assert found.is_equal, str(found)
    assert found.cases > 150
    assert found.runs["FINISHED"] > 60
