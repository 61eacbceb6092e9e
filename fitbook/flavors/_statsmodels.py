"""statsmodels' flavor: results as pickles, for which the library has no other format; readable by ``mlflow.statsmodels``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue, SchemaMismatch
from fitbook.flavors._base import read
from fitbook.flavors._library import Frozen, LibraryFlavor, Predict, named, needed
from fitbook.flavors._pickling import dumps
from fitbook.flavors._trust import loads
from fitbook.models._infer import is_frame

FILE = "model.statsmodels"


class StatsmodelsFlavor(LibraryFlavor):
    """What the ``fit`` of a statsmodels model returns."""

    name = "statsmodels"

    def freeze(self, model: Any, *, remove_data: bool = False) -> Frozen:
        """Save results; with ``remove_data`` without what has a value for each observation, which not all can do."""
        statsmodels = needed("statsmodels", "statsmodels")
        if not type(model).__module__.startswith("statsmodels.") or not hasattr(model, "save"):
            raise InvalidValue(
                f"These are no results of statsmodels', but a {named(type(model))}; save what its fit() returns."
            )
        if remove_data:
            model = copy.deepcopy(model)  # it would take them from the user's object
            model.remove_data()
        data, used_format = dumps(model)
        return Frozen(
            files={FILE: data},
            pickled=FILE,
            data=FILE,
            config={"data": FILE, "statsmodels_version": statsmodels.__version__},
            modules=("statsmodels", "numpy", "scipy", "pandas", *(("cloudpickle",) * (used_format == "cloudpickle"))),
            loader="mlflow.statsmodels",
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the results."""
        needed("statsmodels", "statsmodels")
        data, source = read(folder, config, "data")
        return loads(data, source=source)

    def predictor(self, model: Any, config: Mapping[str, Any]) -> Predict:
        """Predict for rows; a time series for the span that one row with ``start`` and ``end`` names, as in MLflow."""
        series = needed("statsmodels.tsa.base.tsa_model", "statsmodels").TimeSeriesModel
        if not isinstance(getattr(model, "model", None), series):
            return super().predictor(model, config)

        def predict(data: Any, params: dict[str, Any]) -> Any:
            if not is_frame(data) or len(data) != 1 or not {"start", "end"} <= set(data.columns):
                raise SchemaMismatch(
                    "A time series predicts for a DataFrame of one row with the columns start and end."
                )
            return model.predict(start=data["start"].iloc[0], end=data["end"].iloc[0])

        return predict
