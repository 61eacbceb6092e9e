"""Where torch is installed: `make flavors`."""

import io
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fitbook
from fitbook import FitbookWarning
from fitbook.errors import InvalidValue, ModelError, SchemaMismatch, UntrustedModel
from fitbook.flavors import flavor_named, load_pyfunc, write
from fitbook.models import Model

FLAVOR = flavor_named("pytorch")


class Net(torch.nn.Module):
    """Weights that are shared, a buffer that no state_dict has, a plain tensor, and layers that differ while training."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(3, 3)
        self.again = torch.nn.Linear(3, 3)
        self.again.weight = self.first.weight
        self.norm = torch.nn.BatchNorm1d(3)
        self.drop = torch.nn.Dropout(0.5)
        self.register_buffer("shift", torch.ones(3, dtype=torch.bfloat16), persistent=False)
        self.scale = torch.tensor([2.0])
        self.first.bias.requires_grad_(False)

    def forward(self, x, factor=1.0):
        return factor * self.scale * self.drop(self.norm(self.again(self.first(x)))) + self.shift


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def data(X):
    return X.to_numpy(dtype="float32")


def _predicted(net, data):
    with torch.no_grad():
        return net.eval()(torch.tensor(data)).numpy()


def _folder(net, tmp_path, **options):
    return write(FLAVOR.snapshot(net, **options), tmp_path / "model")


def test_a_module_comes_back(net, data, tmp_path):
    folder = _folder(net, tmp_path, input_example=data[:2])
    loaded = FLAVOR.load(folder, Model.load(folder).flavors["pytorch"])
    assert type(loaded) is Net
    assert not loaded.training
    assert loaded.again.weight is loaded.first.weight
    assert not loaded.first.bias.requires_grad
    assert isinstance(loaded.first.weight, torch.nn.Parameter)
    assert loaded.shift.dtype is torch.bfloat16
    np.testing.assert_array_equal(_predicted(loaded, data), _predicted(net, data))
    np.testing.assert_array_equal(load_pyfunc(folder).predict(data), _predicted(net, data))


def test_the_weights_are_no_part_of_what_is_unpickled(net, data, tmp_path):
    net.first = torch.nn.Linear(3, 3000)
    snapshot = FLAVOR.snapshot(net)
    assert snapshot.pickled == "data/module.pkl"
    assert len(snapshot.files["data/module.pkl"]) < 10_000 < len(snapshot.files["data/state_dict.pth"])
    weights = torch.load(io.BytesIO(snapshot.files["data/state_dict.pth"]), weights_only=True)
    assert set(weights) == set(net.state_dict())


def test_saving_leaves_the_module_as_it_is(net, data):
    net.train()
    net.norm.eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    FLAVOR.snapshot(net, input_example=data)
    assert net.training
    assert net.drop.training
    assert not net.norm.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_module_of_a_script_loads_in_another_process_that_trusts_it(tmp_path):
    script = (
        "import torch, fitbook.pytorch\n"
        "class Mine(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layer = torch.nn.Linear(3, 1)\n"
        "    def forward(self, x):\n        return self.layer(x)\n"
        f"fitbook.pytorch.save_model(Mine(), {str(tmp_path / 'model')!r})"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(UntrustedModel) as refused:
        fitbook.pytorch.load_model(tmp_path / "model")
    loaded = fitbook.pytorch.load_model(tmp_path / "model", trusted=refused.value.names)
    assert type(loaded).__name__ == "Mine"
    assert loaded(torch.zeros(2, 3)).shape == (2, 1)


def test_frames_give_frames_and_numbers_fit_the_weights(net, X, data, tmp_path):
    model = load_pyfunc(_folder(net, tmp_path))
    expected = _predicted(net, data)
    frame = X.set_index(pd.RangeIndex(100, 160))
    predicted = model.predict(frame)
    assert list(predicted.index) == list(frame.index)
    np.testing.assert_array_equal(predicted.to_numpy(), expected)
    np.testing.assert_allclose(model.predict(X.to_numpy()), expected, rtol=1e-5, atol=1e-6)  # doubles
    np.testing.assert_allclose(model.predict(data, params={"factor": 0.0}), np.ones_like(expected))
    with pytest.warns(FitbookWarning, match="unknown"):
        model.predict(data, params={"unknown": 1})
    with pytest.raises(SchemaMismatch, match="got a dict"):
        model.predict({"a": data})


def test_several_tensors_come_out_as_arrays(data, tmp_path):
    model = load_pyfunc(_folder(torch.nn.LSTM(3, 2, batch_first=True), tmp_path))
    states, (hidden, cell) = model.predict(data[None])
    assert (states.shape, hidden.shape, type(cell)) == ((1, 60, 2), (1, 1, 2), np.ndarray)


def test_the_signature_comes_from_an_example_and_is_enforced(net, data, tmp_path):
    folder = _folder(net, tmp_path, input_example=torch.tensor(data[:2]))
    assert str(Model.load(folder).signature.inputs).count("float32") == 1
    with pytest.raises(SchemaMismatch, match="shape"):
        load_pyfunc(folder).predict(data[:, :2])


def test_models_are_logged_and_loaded(net, data):
    with fitbook.start_run():
        info = fitbook.pytorch.log_model(net, name="net")
    loaded = fitbook.pytorch.load_model(info.model_uri, device="cpu")
    np.testing.assert_array_equal(_predicted(loaded, data), _predicted(net, data))
    other = Net()
    other.load_state_dict(fitbook.pytorch.load_state_dict(info.model_uri))
    np.testing.assert_array_equal(_predicted(other, data), _predicted(net, data))


def test_requirements_can_be_installed(net):
    pins = FLAVOR.snapshot(net).requirements.pins
    assert {pin.partition("==")[0] for pin in pins} >= {"torch", "numpy", "fitbook", "cloudpickle"}
    assert not any("+" in pin for pin in pins)
    assert not any(
        pin.startswith("fitbook") for pin in FLAVOR.snapshot(net, serialization_format="pickle").requirements.pins
    )


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_what_is_no_module_is_refused():
    for wrong in (1, {"weight": torch.zeros(1)}, torch.jit.script(torch.nn.Linear(1, 1))):
        with pytest.raises(InvalidValue, match="no torch.nn.Module that can be taken apart"):
            FLAVOR.snapshot(wrong)
    with pytest.raises(InvalidValue, match="'pt2' is unknown"):
        FLAVOR.snapshot(torch.nn.Linear(1, 1), serialization_format="pt2")


def test_a_module_that_can_not_be_pickled_says_so(net):
    net.stream = (n for n in "abc")
    with pytest.raises(ModelError, match="Net, can't be saved.*generator"):
        FLAVOR.snapshot(net)


class _Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


def test_weights_with_code_are_not_loaded(net, tmp_path):
    folder = _folder(net, tmp_path)
    torch.save({"first.weight": _Bomb(tmp_path / "mark")}, folder / "data/state_dict.pth")
    with pytest.raises(ModelError, match="state_dict.pth can't be loaded"):
        fitbook.pytorch.load_model(folder)
    with pytest.raises(ModelError, match="state_dict.pth can't be loaded"):
        fitbook.pytorch.load_state_dict(folder)
    assert not (tmp_path / "mark").exists()


def test_weights_of_another_module_are_named(net, tmp_path):
    folder = _folder(net, tmp_path)
    torch.save({"nothing": torch.zeros(1)}, folder / "data/state_dict.pth")
    with pytest.raises(ModelError, match="nothing"):
        fitbook.pytorch.load_model(folder)


def test_weights_are_not_loaded_by_a_torch_whose_check_can_be_got_around(net, tmp_path, monkeypatch):
    folder = _folder(net, tmp_path)
    monkeypatch.setattr(torch, "__version__", "2.5.1")
    with pytest.raises(ModelError, match="2.5.1 does not load weights safely"):
        fitbook.pytorch.load_model(folder)


def test_what_is_unpickled_must_be_a_module(net, tmp_path):
    folder = _folder(net, tmp_path)
    (folder / "data/module.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(ModelError, match="no torch.nn.Module, but a list"):
        fitbook.pytorch.load_model(folder)


def test_one_pickle_of_everything_is_loaded_as_far_as_torch_trusts_it(net, data, tmp_path):
    plain = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.BatchNorm1d(2))
    write(FLAVOR.snapshot(plain, serialization_format="pickle"), tmp_path / "plain")
    loaded = fitbook.pytorch.load_model(tmp_path / "plain")
    np.testing.assert_array_equal(_predicted(loaded, data), _predicted(plain, data))
    folder = _folder(net, tmp_path, serialization_format="pickle")
    with pytest.raises(ModelError, match=r"can run any code.*test_pytorch\.Net"):
        fitbook.pytorch.load_model(folder)
    with torch.serialization.safe_globals([Net]):
        loaded = fitbook.pytorch.load_model(folder)
    np.testing.assert_array_equal(_predicted(loaded, data), _predicted(net, data))


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning", "ignore:.torch.load. received a zip:UserWarning")
def test_other_formats_of_mlflows_are_refused_with_what_reads_them(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(folder / "model.pth"))
    with pytest.raises(ModelError, match=r"TorchScript.*torch\.jit\.load"):
        FLAVOR.load(tmp_path, {"model_data": "data"})
    torch.save(_Bomb(tmp_path / "mark"), folder / "model.pth")
    with pytest.raises(ModelError, match=r"names .*open"):
        FLAVOR.load(tmp_path, {"model_data": "data"})
    assert not (tmp_path / "mark").exists()
    with zipfile.ZipFile(folder / "model.pt2", "w"):
        pass
    with pytest.raises(ModelError, match=r"torch\.export\.load"):
        FLAVOR.load(tmp_path, {"model_data": "data"})
    with pytest.raises(ModelError, match="not a path inside"):
        FLAVOR.load(tmp_path, {"model_data": "../data"})


def test_the_page_says_what_runs():
    page = (Path(__file__).parents[2] / "docs" / "flavors.md").read_text(encoding="utf-8")
    section = page[page.index("## PyTorch") : page.index("## A flavor of your own")]
    (code,) = re.findall(r"^```py\n(.*?)^```", section, re.M | re.S)
    exec(compile(code, "flavors.md", "exec"), {"__name__": "__main__"})
