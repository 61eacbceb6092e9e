"""A model's signature: the schema of its input, output and parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fitbook._log import FitbookWarning
from fitbook.errors import ModelError
from fitbook.models._enforce import enforce_list, enforce_params, enforce_schema
from fitbook.models._enforce_arrays import listed
from fitbook.models._example import split_example
from fitbook.models._hints import as_list, is_list_hint, schema_of_hint
from fitbook.models._infer import Undescribable, params_of, schema_of
from fitbook.models._schema import DataType, ParamSchema, Schema


@dataclass(frozen=True)
class ModelSignature:
    """What goes into a model and what comes out.

    Parameters
    ----------
    inputs, outputs : Schema, optional
    params : ParamSchema, optional
        Parameters of ``predict``, with defaults.
    from_type_hints : bool
        The input is a list of instances, as the model's ``predict`` is annotated.

    Raises
    ------
    ModelError
        All three are None.
    """

    inputs: Schema | None = None
    outputs: Schema | None = None
    params: ParamSchema | None = None
    from_type_hints: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.inputs is None and self.outputs is None and self.params is None:
            raise ModelError("A signature needs inputs, outputs or params.")

    def enforce(self, data: Any) -> Any:
        """Check the input of a prediction, and cast and order it as the model wants.

        Integers become wider integers or floats, columns are put into order and unknown ones left out, a 2-D array
        of the right width becomes a DataFrame where the model knows columns. Data that fits is returned itself.

        Raises
        ------
        fitbook.errors.SchemaMismatch
            Names the column, what was expected and what came.
        """
        if self.inputs is None:
            return data
        return enforce_list(as_list(data), self.inputs) if self.from_type_hints else enforce_schema(data, self.inputs)

    def enforce_params(self, params: dict[str, Any] | None) -> dict[str, Any]:
        """Check the parameters of a prediction and add the defaults.

        Raises
        ------
        fitbook.errors.SchemaMismatch
            A parameter is unknown or has the wrong type.
        """
        return dict(params or {}) if self.params is None else enforce_params(params, self.params)

    def to_dict(self) -> dict[str, str | None]:
        """The form in which it stands in an MLmodel file: three JSON texts."""
        return {
            "inputs": None if self.inputs is None else self.inputs.to_portable_json(),
            "outputs": None if self.outputs is None else self.outputs.to_portable_json(),
            "params": None if self.params is None else self.params.to_json(),
        }

    @classmethod
    def from_dict(cls, signature: dict[str, str | None]) -> ModelSignature:
        """Read what `to_dict` wrote.

        Raises
        ------
        ModelError
            One of the texts is malformed.
        """
        inputs, outputs, params = (signature.get(key) for key in ("inputs", "outputs", "params"))
        return cls(
            Schema.from_json(inputs) if inputs else None,
            Schema.from_json(outputs) if outputs else None,
            ParamSchema.from_json(params) if params else None,
        )

    def __str__(self) -> str:
        return f"inputs:  {self.inputs}\noutputs: {self.outputs}\nparams:  {self.params and self.params.to_json()}"


def describe_signature(
    model_input: Any = None, model_output: Any = None, params: dict[str, Any] | None = None
) -> tuple[ModelSignature | None, str]:
    """Infer a signature, and say what could not be described.

    Parameters
    ----------
    model_input, model_output : array, sparse matrix, DataFrame, Series, list, dict or scalar, optional
    params : dict, optional
        Parameters of ``predict`` with their defaults.

    Returns
    -------
    signature : ModelSignature or None
        None when the input is given and can't be described, or nothing is given. A part other than the input that
        can't be described is left out.
    reason : str
        Empty, or what could not be described and why.
    """
    reasons = []
    found: dict[str, Any] = {}
    for part, value in (("inputs", model_input), ("outputs", model_output), ("params", params)):
        if value is None or (part == "params" and not value):
            continue
        try:
            found[part] = params_of(value) if part == "params" else schema_of(value)
            unknown = [name for name, kind in _kinds(found[part]) if kind is DataType.any]
            if unknown:
                reasons.append(f"{part}: {listed(unknown)} will not be checked, for the format has no type for it")
        except Undescribable as why:
            reasons.append(f"{part}: {why}")
        except Exception as error:  # a user's own container may raise anything when it is looked at
            reasons.append(f"{part}: looking at the {type(value).__name__} failed with {error!r}")
    if not found or (model_input is not None and "inputs" not in found):
        return None, "; ".join(reasons) or "neither an input nor an output was given"
    return ModelSignature(**found), "; ".join(reasons)


def _kinds(schema: Schema | ParamSchema) -> Iterable[tuple[Any, Any]]:
    return zip(schema.input_names(), schema.input_types(), strict=True) if isinstance(schema, Schema) else ()


def signature_of_example(example: Any, predict: Callable[[Any], Any] | None) -> ModelSignature | None:
    """Infer a signature from an input example and what the model makes of it; warns of what is missing in it, and why.

    Parameters
    ----------
    example : object
        As `infer_signature` takes it, or a tuple of that and a dict of parameters.
    predict : callable or None
        None where the model can't be asked.
    """
    example, params = split_example(example)
    output, reasons = None, []
    try:
        output = None if predict is None else predict(example)
    except Exception as error:  # an example that the model refuses still describes what was meant as its input
        reasons.append(f"outputs: predicting the input example failed with {error!r}")
    signature, reason = describe_signature(example, output, params)
    _say([*reasons, reason])
    return signature


def signature_of_hints(hint: Any, result: Any, params: dict[str, Any] | None = None) -> ModelSignature | None:
    """Infer a signature from the type hints of ``predict``; warns if they say nothing that the format knows."""
    try:
        inputs = schema_of_hint(hint)
    except Undescribable as why:
        _say([f"inputs: {why}"])
        return None
    outputs = None
    try:
        outputs = None if result is None else schema_of_hint(result if is_list_hint(result) else list[result])
    except Undescribable as why:
        _say([f"outputs: {why}"])
    return ModelSignature(inputs, outputs, params_of(params) if params else None, from_type_hints=True)


def infer_signature(
    model_input: Any = None, model_output: Any = None, params: dict[str, Any] | None = None
) -> ModelSignature | None:
    """Infer a model's signature from example data.

    Parameters
    ----------
    model_input : array, sparse matrix, DataFrame, Series, list, dict or scalar, optional
        What ``predict`` gets. Of large data only dtypes and a sample are looked at.
    model_output : same, optional
        What ``predict`` returns.
    params : dict, optional
        Parameters of ``predict`` with their defaults.

    Returns
    -------
    ModelSignature or None
        None, and a warning that says why, when the data can't be described.
    """
    signature, reason = describe_signature(model_input, model_output, params)
    _say([reason])
    return signature


def _say(reasons: list[str]) -> None:
    said = "; ".join(filter(None, reasons))
    if said:
        warnings.warn(f"The signature could not be inferred completely: {said}.", FitbookWarning, stacklevel=3)
