"""Models that are scripts: how a script says which object is the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_chosen: ContextVar[list[Any] | None] = ContextVar("fitbook_model_of_a_script", default=None)


def set_model(model: Any) -> None:
    """Say, in a script that is saved as a model, which object is the model.

    Parameters
    ----------
    model : PythonModel or callable
        What is to predict. Of several calls the last counts; a script that is run by hand goes on as if there was none.

    Examples
    --------
    The file ``doubler.py``::

        import fitbook.pyfunc
        from fitbook.models import set_model

        class Doubler(fitbook.pyfunc.PythonModel):
            def predict(self, model_input):
                return model_input * 2

        set_model(Doubler())

    is saved by ``fitbook.pyfunc.log_model("doubler", python_model="doubler.py")``.
    """
    chosen = _chosen.get()
    if chosen is not None:
        chosen[:] = [model]


@contextmanager
def choosing() -> Iterator[list[Any]]:
    """Collect what `set_model` is called with meanwhile: a list of no or one model."""
    chosen: list[Any] = []
    token = _chosen.set(chosen)
    try:
        yield chosen
    finally:
        _chosen.reset(token)
