"""Autologging: fits are recorded with no further code.

Everything that turning it on needs is imported when it is turned on, so that importing fitbook stays cheap.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from fitbook.autolog._config import Config

__all__ = ["autolog", "autolog_sklearn"]


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,
    silent: bool = False,
    extra_tags: Mapping[str, str] | None = None,
    max_tuning_runs: int | None = None,
    log_post_training_metrics: bool = True,
    log_plots: bool = True,
    serialization_format: str | None = None,
    registered_model_name: str | None = None,
    pos_label: int | str | None = None,
    resume_search: bool = False,
    progress: bool | None = None,
) -> None:
    """Record every fit from here on, in every library that fitbook hooks.

    May be called before or after the libraries are imported, and again to change the options.

    Parameters
    ----------
    log_input_examples : bool, default False
        Keep five rows of the training data with the model and, of a regression, predicted against true targets. Off, no
        row of the data is stored.
    log_model_signatures : bool, default True
        Describe the model's input and output with the model.
    log_models : bool, default True
        Keep the fitted model.
    log_datasets : bool, default True
        Note fingerprint, shape and column types of the training data.
    disable : bool, default False
        Turn autologging off, and take every hook out.
    exclusive : bool, default False
        Leave a run that the user has begun alone: autologged fits get runs of their own.
    disable_for_unsupported_versions : bool, default False
        Do nothing, rather than warn, with a version of a library that fitbook was not made for.
    silent : bool, default False
        Never warn.
    extra_tags : mapping, optional
        Tags for every autologged run.
    max_tuning_runs : int, optional
        Record child runs for so many of a search's best candidates only; all of them if not given.
    log_post_training_metrics : bool, default True
        Record ``score`` and ``sklearn.metrics`` calls that follow a fit, with that fit's run.
    log_plots : bool, default True
        Draw figures; their data is kept either way.
    serialization_format : {"pickle", "cloudpickle"}, optional
        How models are kept: plain pickle where it can, cloudpickle where it must, if not given.
    registered_model_name : str, optional
        Make every fitted model a version of this registered model; of a search, the best estimator.
    pos_label : label, optional
        The positive class of binary problems, for precision, recall and F1.
    resume_search : bool, default False
        Take those splits of a search that an earlier run has finished on the same data from the store.
    progress : bool, optional
        Show how far a search is; if not given, in terminals and notebooks, unless its ``verbose`` is set.

    Raises
    ------
    InvalidValue
        An option has a value that it can't have.
    """
    config = None
    if not disable:
        config = Config(
            log_models=log_models,
            log_datasets=log_datasets,
            log_model_signatures=log_model_signatures,
            log_input_examples=log_input_examples,
            log_post_training_metrics=log_post_training_metrics,
            log_plots=log_plots,
            silent=silent,
            exclusive=exclusive,
            max_tuning_runs=max_tuning_runs,
            registered_model_name=registered_model_name,
            serialization_format=serialization_format,
            pos_label=pos_label,
            resume_search=resume_search,
            progress=progress,
            extra_tags=dict(extra_tags or {}),
        )
    _loaded_switch().turn(config, quiet_refusal=disable_for_unsupported_versions)


def autolog_sklearn(**options: Any) -> None:
    """Record every scikit-learn fit from here on; options as for `fitbook.autolog`.

    Raises
    ------
    IntegrationUnavailable
        scikit-learn is not installed, or in a version that fitbook was not made for.
    InvalidValue
        An option has a value that it can't have.
    """
    if not options.get("disable"):
        _loaded_switch().require("sklearn")
    autolog(**options)


def _loaded_switch() -> Any:
    # Not called ``_switch``: importing the module sets that name of this package.
    return importlib.import_module("fitbook.autolog._switch")
