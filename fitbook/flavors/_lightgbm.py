"""LightGBM's flavor: boosters as LightGBM's text, estimators as pickles, readable by ``mlflow.lightgbm``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue
from fitbook.flavors._base import read
from fitbook.flavors._library import Frozen, LibraryFlavor, loading, named, needed
from fitbook.flavors._lightgbm_text import check_lightgbm, with_known_parameters
from fitbook.flavors._pickling import dumps
from fitbook.flavors._sklearn import PICKLE, SklearnFlavor
from fitbook.flavors._trust import check

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
            text = data.decode()
            check(lambda: check_lightgbm(text), data, source=source)
            return lightgbm.Booster(model_str=with_known_parameters(text, _parameters()))


@cache
def _parameters() -> frozenset[str]:
    """What this LightGBM writes itself."""
    import numpy as np  # noqa: PLC0415

    lightgbm, quietly = needed("lightgbm", "lightgbm"), {"verbose": -1}
    data = lightgbm.Dataset(np.zeros((2, 1)), [0.0, 1.0], params=quietly)
    text = lightgbm.Booster(quietly, data).model_to_string()
    return frozenset(re.findall(r"^\[(\w+): ", text, re.MULTILINE))
