from importlib.metadata import EntryPoint

import pytest

from fitbook.errors import ModelError, NotFound
from fitbook.flavors import Flavor, Snapshot, _lookup, flavor_named, flavor_names, load_pyfunc, write


class Shouting:
    name = "shouting"

    def snapshot(self, model, **options):
        return Snapshot(files={"m.txt": model.encode()}, flavors={"shouting": {"file": "m.txt"}})

    def load(self, folder, config):
        text = (folder / config["file"]).read_text()

        class Loud:
            def predict(self, data):
                return text.upper() + data

        return Loud()


@pytest.fixture
def announced(monkeypatch):
    points = {
        "shouting": EntryPoint("shouting", f"{__name__}:Shouting", _lookup.GROUP),
        "broken": EntryPoint("broken", "builtins:print", _lookup.GROUP),
        "sklearn": EntryPoint("sklearn", "builtins:print", _lookup.GROUP),
    }
    monkeypatch.setattr(EntryPoint, "load", lambda point: Shouting if point.name == "shouting" else print)
    monkeypatch.setattr(_lookup, "_announced", lambda: points)


def test_built_in_flavors_are_flavors():
    assert flavor_names()[:2] == ["sklearn", "python_function"]
    assert set(flavor_names()[2:]) == {"xgboost", "lightgbm", "catboost", "statsmodels", "onnx", "pytorch"}
    for name in flavor_names():
        assert isinstance(flavor_named(name), Flavor)
        assert flavor_named(name).name == name


def test_an_unknown_flavor_is_not_found():
    with pytest.raises(NotFound, match="'sklearn'"):
        flavor_named("skleran")


@pytest.mark.usefixtures("announced")
def test_third_parties_announce_theirs(tmp_path):
    assert flavor_names()[:2] == ["sklearn", "python_function"]
    assert flavor_names()[-2:] == ["broken", "shouting"]
    folder = write(flavor_named("shouting").snapshot("hey"), tmp_path / "model")
    assert load_pyfunc(folder).predict("!") == "HEY!"


@pytest.mark.usefixtures("announced")
def test_the_built_in_ones_can_not_be_replaced():
    assert type(flavor_named("sklearn")).__name__ == "SklearnFlavor"


@pytest.mark.usefixtures("announced")
def test_what_is_announced_must_be_a_flavor():
    with pytest.raises(ModelError, match="broken|print"):
        flavor_named("broken")
