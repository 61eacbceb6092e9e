import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.tsa.arima.model import ARIMA

from fitbook.errors import InvalidValue, SchemaMismatch
from fitbook.flavors import flavor_named, load_pyfunc, opened, write

FLAVOR = flavor_named("statsmodels")


def _kept(results, example, tmp_path, **options):
    folder = write(FLAVOR.snapshot(results, input_example=example, **options), tmp_path / "model")
    with opened(folder) as described:
        return FLAVOR.load(folder, described.flavors["statsmodels"]), load_pyfunc(folder)


@pytest.mark.parametrize("family", [sm.families.Gaussian(), sm.families.Binomial()])
def test_results_come_back(family, X, y, tmp_path):
    noisy = np.where(np.arange(len(y)) % 5, y, 1 - y)
    data = sm.add_constant(X)
    results = sm.GLM(noisy, data, family=family).fit()
    loaded, model = _kept(results, data.head(2), tmp_path)
    np.testing.assert_array_equal(loaded.params, results.params)
    np.testing.assert_allclose(model.predict(data), results.predict(data))
    assert str(loaded.summary().tables[1]) == str(results.summary().tables[1])


def test_formulas_are_evaluated_where_the_model_is_loaded(X, y, tmp_path):
    results = smf.ols("y ~ a + np.log(b ** 2)", X.assign(y=y)).fit()
    _, model = _kept(results, X.head(2), tmp_path)
    np.testing.assert_allclose(model.predict(X), results.predict(X))
    with pytest.raises(SchemaMismatch, match="lacks the column 'b'"):
        model.predict(X[["a", "c"]])


def test_a_time_series_predicts_a_span(X, tmp_path):
    results = ARIMA(X["a"].to_numpy(), order=(1, 0, 0)).fit()
    span = pd.DataFrame({"start": [60], "end": [63]})
    _, model = _kept(results, span, tmp_path, signature=False)
    np.testing.assert_allclose(model.predict(span), results.predict(60, 63))
    for wrong in (X, pd.concat([span, span]), [60, 63]):
        with pytest.raises(SchemaMismatch, match="one row with the columns start and end"):
            model.predict(wrong)


def test_data_is_removed_from_what_is_saved_only(X, y, tmp_path):
    results = sm.OLS(y, sm.add_constant(X)).fit()
    whole = FLAVOR.snapshot(results)
    bare = FLAVOR.snapshot(results, remove_data=True)
    assert bare.size_bytes < whole.size_bytes
    assert results.model.exog is not None
    np.testing.assert_allclose(
        load_pyfunc(write(bare, tmp_path / "model")).predict(sm.add_constant(X)), results.predict()
    )


def test_the_file_says_what_mlflow_reads(X, y):
    snapshot = FLAVOR.snapshot(sm.OLS(y, X).fit())
    assert snapshot.pickled == "model.statsmodels"
    assert snapshot.flavors["python_function"]["loader_module"] == "mlflow.statsmodels"
    assert {pin.partition("==")[0] for pin in snapshot.requirements.pins} >= {"statsmodels", "numpy", "scipy", "pandas"}


def test_a_model_that_is_not_fitted_has_no_results(X, y):
    with pytest.raises(InvalidValue, match=r"OLS; save what its fit\(\) returns"):
        FLAVOR.snapshot(sm.OLS(y, X))
