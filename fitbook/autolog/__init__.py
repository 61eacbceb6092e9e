"""Autologging: fits are recorded with no further code.

Everything that turning it on needs is imported when it is turned on, so that importing fitbook stays cheap.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec

__all__ = ["autolog", "autolog_sklearn"]

P = ParamSpec("P")
Patterns = bool | str | Sequence[str]
Classes = str | type | Sequence[str | type]


def _switching(declared: Callable[P, None]) -> Callable[P, None]:
    """Make a function do as its arguments say; those that are not given may be told elsewhere, see `_options`."""
    parameters = inspect.signature(declared)

    @functools.wraps(declared)
    def switch(*args: P.args, **kwargs: P.kwargs) -> None:
        switches = _loaded("_switch")
        for name in kwargs.keys() - parameters.parameters.keys():
            near = _loaded("_options").nearest(name, parameters.parameters)
            raise TypeError(f"{declared.__name__}() has no option {name!r}{near}")
        switches.turn(parameters.bind(*args, **kwargs).arguments)

    return switch


@_switching
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
    *,
    promote: str | None = None,
    include: Classes | None = None,
    exclude: Classes | None = None,
    params: Patterns = True,
    metrics: Patterns = True,
    artifacts: Patterns = True,
    findings: Patterns = True,
    budget_ms: float | None = 50.0,
    budget_share: float = 0.05,
    sampling: bool = True,
    explain: bool = False,
    resume_search: bool = False,
    progress: bool | None = None,
    log_traces: bool = True,
    exclude_flavors: Sequence[str] | None = None,
) -> None:
    """Record every fit from here on, in every library that fitbook hooks.

    May be called before or after the libraries are imported, and again to change the options. An option that is not
    given here is the environment variable's (``FITBOOK_AUTOLOG_`` and its name in capitals), else that of the table
    ``[tool.fitbook.autolog]`` in the nearest pyproject.toml, else the default.

    Where *patterns* may be given, True is everything, False nothing, and one pattern or several are as in file names:
    ``"training_*"`` chooses, ``"!*_score"`` leaves out.

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
        Never warn, and never tell of findings.
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
        Make every fitted model that can predict a version of this registered model; of a search, the best estimator.
    pos_label : label, optional
        The positive class of binary problems, for precision, recall and F1.
    promote : str, optional
        An alias, such as ``"champion"``: each new version gets it if no version has it or, of a search, if it is
        significantly better than the version that has it over the same folds; see `fitbook.promote`.
    include : classes or names, optional
        Record fits of these only: classes (what derives from them, too), or patterns of their names or of a module's,
        such as ``"SVC"`` and ``"sklearn.cluster"``. What counts is what the program fits, not what that fits inside.
    exclude : classes or names, optional
        Record no fits of these, given in the same way.
    params, metrics : patterns, default True
        Which parameters and metrics are kept. Values of parameters that are called ``password``, ``token``, ``secret``
        or ``api_key`` are masked anyway.
    artifacts : patterns, default True
        Which files and models are kept; ``"model"`` is one name, whatever files it consists of.
    findings : patterns, default True
        What is looked for in the data and the result of a fit; ``"!overfit"`` mutes one finding.
    budget_ms : float, optional, default 50
        Milliseconds that recording may add to a fit, if ``budget_share`` is not more; None for as many as it takes.
    budget_share : float, default 0.05
        Share of the fit's own time that recording may add.
    sampling : bool, default True
        Measure on some of the training rows where the budget does not allow for all; off, not at all then.
    explain : bool, default False
        Say on standard error what is recorded of a fit, and at which cost; once for each class.
    resume_search : bool, default False
        Take those splits of a search that an earlier run has finished on the same data from the store.
    progress : bool, optional
        Show how far a search is; if not given, in terminals and notebooks, unless its ``verbose`` is set.
    log_traces : bool, default True
        For programs that were written for MLflow; nothing that fitbook hooks makes traces.
    exclude_flavors : sequence of str, optional
        Libraries that are left alone: ``["sklearn"]``.

    Raises
    ------
    InvalidValue
        An option has a value that it can't have.
    """


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
        _loaded("_switch").require("sklearn")
    autolog(**options)


def _loaded(name: str) -> Any:
    # By ``importlib``, as nothing of this is needed before autologging is turned on.
    return importlib.import_module(f"fitbook.autolog.{name}")
