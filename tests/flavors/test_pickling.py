import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fitbook.errors import InvalidValue, ModelError
from fitbook.flavors._pickling import culprit_of, dumps


class Holder:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


def test_plain_pickle_is_the_first_choice():
    data, used = dumps(StandardScaler())
    assert used == "pickle"
    assert data == pickle.dumps(StandardScaler(), protocol=5)


def test_a_lambda_goes_to_cloudpickle():
    data, used = dumps(make_pipeline(FunctionTransformer(lambda x: x + 1)))
    assert used == "cloudpickle"
    assert pickle.loads(data).transform(1) == 2


def test_what_a_script_defines_is_written_by_value():
    script = (
        "import sys; from sklearn.base import BaseEstimator\n"
        "class Mine(BaseEstimator):\n    def predict(self, X): return [7]\n"
        "from fitbook.flavors._pickling import dumps\n"
        "model = [b'0' * size for size in (65_535, 65_536, 1_000_000)] + [Mine(), 'x' * 65_535]\n"
        "data, used = dumps(model); assert used == 'cloudpickle', used; sys.stdout.buffer.write(data)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert pickle.loads(out.stdout)[3].predict(None) == [7]


def test_arrays_are_written_as_plain_pickle_writes_them():
    arrays = [np.arange(n * 1.0) for n in (10, 8_191, 8_192, 200_000)]
    assert dumps(arrays)[0] == pickle.dumps(arrays, protocol=5)


def test_the_format_can_be_asked_for():
    assert dumps(StandardScaler(), "cloudpickle")[1] == "cloudpickle"
    with pytest.raises(ModelError, match="serialization_format"):
        dumps(FunctionTransformer(lambda x: x), "pickle")
    with pytest.raises(InvalidValue, match="'skops'"):
        dumps(StandardScaler(), "skops")


def test_the_attribute_in_the_way_is_named_with_its_type():
    model = make_pipeline(StandardScaler(), FunctionTransformer(kw_args={"lock": threading.Lock()}))
    with pytest.raises(
        ModelError, match=r"Pipeline.*steps\[1\]\[1\]\.kw_args\['lock'\], a _thread\.lock.*__getstate__"
    ):
        dumps(model)


def test_the_culprit_may_be_the_object_itself():
    lock = threading.Lock()
    assert culprit_of(lock) == ("", lock)
    with pytest.raises(ModelError, match="it can't be pickled"):
        dumps(lock)


def test_a_getstate_that_fails_is_the_owners():
    class Refuses:
        def __reduce__(self):
            raise RuntimeError("not me")

    with pytest.raises(ModelError, match=r"inner.*not me"):
        dumps(Holder(fine=1, inner=Refuses()))


def test_a_model_that_contains_itself_ends():
    loop = Holder(lock=threading.Lock())
    loop.__dict__ = {"me": loop, **loop.__dict__}
    with pytest.raises(ModelError, match="can't be pickled"):
        dumps(loop)


def test_the_model_is_not_changed():
    scaler = StandardScaler().fit([[1.0], [2.0]])
    before = dict(vars(scaler))
    dumps(scaler)
    assert vars(scaler) == before
