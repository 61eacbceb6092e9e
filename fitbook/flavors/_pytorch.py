"""PyTorch's flavor: the weights in torch's own data format, and the module that holds them as a pickle without weights."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue, ModelError, SchemaMismatch
from fitbook.flavors._base import Snapshot, inside, read
from fitbook.flavors._library import Frozen, LibraryFlavor, Predict, accepted, loading, located, named, needed
from fitbook.flavors._trust import loads
from fitbook.models._infer import is_frame

WEIGHTS = "state_dict.pth"

_FORMATS = ("state_dict", "pickle")
_DATA = "data"
_MODULE = f"{_DATA}/module.pkl"
_WHOLE = f"{_DATA}/model.pth"


class PyTorchFlavor(LibraryFlavor):
    """``torch.nn.Module``."""

    name = "pytorch"

    def snapshot(self, model: Any, *, input_example: Any = None, **options: Any) -> Snapshot:
        """Freeze a module; the example may be a tensor."""
        if isinstance(input_example, needed("torch", "torch").Tensor):
            input_example = input_example.detach().cpu().numpy()
        return super().snapshot(model, input_example=input_example, **options)

    def freeze(self, model: Any, *, serialization_format: str = "state_dict") -> Frozen:
        """Save a module.

        ``"state_dict"`` keeps the weights apart, and is loaded without unpickling them. ``"pickle"`` is one pickle of
        everything, which MLflow loads without fitbook.
        """
        torch = needed("torch", "torch")
        if not isinstance(model, torch.nn.Module) or isinstance(model, torch.jit.ScriptModule):
            raise InvalidValue(
                f"This is no torch.nn.Module that can be taken apart, but a {named(type(model))}. Save what was compiled "
                "with torch.jit.save() and log_artifact()."
            )
        if serialization_format not in _FORMATS:
            raise InvalidValue(f"The serialization_format {serialization_format!r} is unknown; use one of {_FORMATS}.")
        import cloudpickle  # noqa: PLC0415

        config = {"model_data": _DATA, "pytorch_version": str(torch.__version__)}
        buffer = io.BytesIO()
        if serialization_format == "pickle":
            torch.save(model, buffer, pickle_module=cloudpickle)
            module = b"mlflow.pytorch.pickle_module"  # what MLflow's loader imports to unpickle it: cloudpickle
            files = {_WHOLE: buffer.getvalue(), f"{_DATA}/pickle_module_info.txt": module}
        else:
            torch.save(model.state_dict(), buffer)
            files = {_MODULE: _without_weights(torch, model), f"{_DATA}/{WEIGHTS}": buffer.getvalue()}
            config |= {"module": _MODULE, "state_dict": f"{_DATA}/{WEIGHTS}"}
        homes = {type(part).__module__.partition(".")[0] for part in model.modules()} - {"__main__"}
        return Frozen(
            files=files,
            pickled=next(iter(files)),
            data=_DATA,
            config={**config, "serialization_format": serialization_format},
            modules=("torch", "numpy", "cloudpickle", *homes, *(("fitbook",) * (_MODULE in files))),
            loader="fitbook.pytorch" if _MODULE in files else "mlflow.pytorch",
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the module, on the CPU and ready to predict."""
        torch = needed("torch", "torch")
        if "state_dict" not in config:
            return _load_whole(torch, folder, config)
        data, source = read(folder, config, "module")
        module = loads(data, source=source)
        if not isinstance(module, torch.nn.Module):
            raise ModelError(f"The model {source} is no torch.nn.Module, but a {named(type(module))}.")
        weights = located(folder, config, "state_dict")
        with loading(weights):
            module.load_state_dict(load_weights(weights))
        return module.eval()

    def predictor(self, model: Any, config: Mapping[str, Any]) -> Predict:
        """Call the module with one tensor; numbers with a point get its parameters' type."""
        torch = needed("torch", "torch")

        def predict(data: Any, params: dict[str, Any]) -> Any:
            if not (is_frame(data) or hasattr(data, "__array__")):
                raise SchemaMismatch(f"A torch module needs an array or a DataFrame, and got a {type(data).__name__}.")
            given = torch.tensor(data.to_numpy(dtype="float32") if is_frame(data) else data)
            first = next(model.parameters(), None)
            if first is not None:
                floating = given.is_floating_point() and first.is_floating_point()
                given = given.to(first.device, first.dtype if floating else given.dtype)
            with _evaluating(model), torch.no_grad():
                outcome = _arrays(torch, model(given, **accepted(model.forward, params)))
            if is_frame(data) and getattr(outcome, "ndim", 3) <= 2:
                import pandas as pd  # noqa: PLC0415

                return pd.DataFrame(outcome, index=data.index)
            return outcome

        return predict


def load_weights(path: Path) -> Any:
    """Load a file of tensors; whatever else is in it is refused by torch.

    Raises
    ------
    ModelError
        The file is damaged, contains other objects, or torch is older than 2.6, whose check could be got around.
    """
    torch = needed("torch", "torch")
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6):
        raise ModelError(f"torch {torch.__version__} does not load weights safely (CVE-2025-32434); use 2.6 or newer.")
    with loading(path):
        return torch.load(path, map_location="cpu", weights_only=True)


def restored(content: Any, dtype: str, parameter: bool, requires_grad: bool) -> Any:
    """Make a tensor of a module's pickle: empty, of a shape, where the weights follow, else of numpy's values."""
    torch = needed("torch", "torch")
    kind = getattr(torch, dtype)
    tensor = torch.empty(content, dtype=kind) if isinstance(content, tuple) else torch.from_numpy(content).to(kind)
    return torch.nn.Parameter(tensor, requires_grad) if parameter else tensor.requires_grad_(requires_grad)


def _without_weights(torch: Any, model: Any) -> bytes:
    import cloudpickle  # noqa: PLC0415

    elsewhere = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}

    def reduced(tensor: Any) -> tuple[Any, ...]:
        if id(tensor) in elsewhere:
            content: Any = tuple(tensor.shape)
        else:  # buffers that are not persistent, and tensors that are plain attributes
            values = tensor.detach().cpu()
            content = (values.float() if values.dtype is torch.bfloat16 else values).numpy()
        dtype = str(tensor.dtype).removeprefix("torch.")
        return restored, (content, dtype, isinstance(tensor, torch.nn.Parameter), tensor.requires_grad)

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
            {torch.Tensor: reduced, torch.nn.Parameter: reduced}
        )

    buffer = io.BytesIO()
    Pickler(buffer, protocol=5).dump(model)
    return buffer.getvalue()


def _load_whole(torch: Any, folder: Path, config: Mapping[str, Any]) -> object:
    """Load what MLflow has saved, in formats that can run any code: what torch's own check lets pass."""
    data = str(config.get("model_data", _DATA))
    if inside(folder, f"{data}/model.pt2").exists():
        raise ModelError(
            f"The model in {folder} was made by torch.export, whose files can run any code when they are loaded. If you "
            f"trust who has made it, load {data}/model.pt2 with torch.export.load()."
        )
    path = located(folder, {"file": f"{data}/model.pth"}, "file")
    own = [kind for kind in vars(torch.nn).values() if isinstance(kind, type) and issubclass(kind, torch.nn.Module)]
    with torch.serialization.safe_globals([*own, set]):
        try:
            return load_weights(path).eval()
        except ModelError as error:
            names: list[str] = []
            with suppress(Exception):  # TorchScript's files, and damaged ones, hold no pickle that could be looked into
                names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
            raise ModelError(
                f"The model {path} is one pickle of everything, which can run any code when it is loaded, and names "
                f"{', '.join(names)}. If you trust who has made it, allow these classes with "
                "torch.serialization.add_safe_globals(), and load it again."
                if names
                else f"The model {path} is damaged, or was made by TorchScript; those can run any code when they are loaded: "
                f"if you trust who has made it, load it with torch.jit.load()."
            ) from error


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _arrays(torch: Any, outcome: Any) -> Any:
    """Every tensor as an array, in whatever the module returns them."""
    if isinstance(outcome, torch.Tensor):
        return outcome.cpu().numpy()
    if isinstance(outcome, Mapping):
        return {key: _arrays(torch, value) for key, value in outcome.items()}
    return [_arrays(torch, value) for value in outcome] if isinstance(outcome, (tuple, list)) else outcome
