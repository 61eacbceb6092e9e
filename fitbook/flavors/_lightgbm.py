"""LightGBM's flavor: boosters as LightGBM's text, estimators as pickles, readable by ``mlflow.lightgbm``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue
from fitbook.flavors._base import read
from fitbook.flavors._library import Frozen, LibraryFlavor, loading, named, needed
from fitbook.flavors._pickling import dumps
from fitbook.flavors._sklearn import PICKLE, SklearnFlavor

BOOSTER = "lightgbm.basic.Booster"
TEXT = "model.lgb"


class LightGBMFlavor(LibraryFlavor):
    """``lightgbm.Booster`` and the estimators with scikit-learn's interface."""

    name = "lightgbm"

    def freeze(self, model: Any, *, serialization_format: str | None = None) -> Frozen:
        """Save a model; ``serialization_format`` is that of estimators, as for scikit-learn's."""
        lightgbm = needed("lightgbm", "lightgbm")
        config: dict[str, Any] = {"lgb_version": lightgbm.__version__, "model_class": named(type(model))}
        if isinstance(model, lightgbm.Booster):
            return Frozen(
                files={TEXT: model.model_to_string().encode()},
                data=TEXT,
                config={**config, "data": TEXT, "model_class": BOOSTER},
                modules=("lightgbm", "numpy", "scipy"),
                loader="mlflow.lightgbm",
            )
        if not isinstance(model, lightgbm.LGBMModel):
            raise InvalidValue(f"This is no model of LightGBM's, but a {named(type(model))}.")
        # LightGBM's text has no place for an estimator's classes and parameters.
        data, used_format = dumps(model, serialization_format)
        return Frozen(
            files={PICKLE: data},
            pickled=PICKLE,
            data=PICKLE,
            config={**config, "data": PICKLE, "serialization_format": used_format},
            modules=("lightgbm", "numpy", "scipy", "sklearn", *(("cloudpickle",) * (used_format == "cloudpickle"))),
            loader="mlflow.lightgbm",
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the booster or the estimator."""
        lightgbm = needed("lightgbm", "lightgbm")
        if config.get("model_class", BOOSTER) != BOOSTER:
            return SklearnFlavor().load(folder, {**config, "pickled_model": config.get("data")})
        data, source = read(folder, config, "data")
        with loading(source):
            return lightgbm.Booster(model_str=data.decode())
