"""CatBoost's flavor: models in its own binary format, readable by ``mlflow.catboost``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fitbook.errors import ModelError
from fitbook.flavors._library import Frozen, LibraryFlavor, class_named, loading, located, needed, own_class

FILE = "model.cb"


class CatBoostFlavor(LibraryFlavor):
    """``CatBoost``, ``CatBoostClassifier``, ``CatBoostRegressor`` and ``CatBoostRanker``."""

    name = "catboost"

    def freeze(self, model: Any) -> Frozen:
        """Save a model."""
        catboost = needed("catboost", "catboost")
        own_class(model, catboost, catboost.CatBoost)
        with tempfile.TemporaryDirectory(prefix="fitbook-") as folder:  # its only public way to bytes
            model.save_model(str(Path(folder, FILE)))
            content = Path(folder, FILE).read_bytes()
        return Frozen(
            files={FILE: content},
            data=FILE,
            config={
                "catboost_version": catboost.__version__,
                "data": FILE,
                "model_type": type(model).__name__,
                "save_format": "cbm",
            },
            modules=("catboost", "numpy", "pandas"),
            loader="mlflow.catboost",
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the model."""
        catboost = needed("catboost", "catboost")
        if config.get("save_format") not in ("cbm", "json"):
            raise ModelError(
                f"The model in {folder} has the format {config.get('save_format')!r}; cbm and json are read."
            )
        model = class_named(config.get("model_type"), catboost, catboost.CatBoost)()
        path = located(folder, config, "data")
        with loading(path):
            model.load_model(str(path), config["save_format"])
        return model
