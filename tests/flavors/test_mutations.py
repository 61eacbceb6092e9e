"""Good models with bytes changed at random (kind k50): loaded or refused, and never the end of the process.

`FITBOOK_TEST_MUTATIONS=1000000` asks for that many.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COUNT = int(os.environ.get("FITBOOK_TEST_MUTATIONS", "2000"))  # of the user's environment, which tests do not see

# In a process of its own: what is looked for would end the one that runs the tests.
PROGRAM = """
import contextlib, os, pickle, random, sys, warnings
import numpy as np
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KDTree, KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from fitbook.errors import FitbookError
from fitbook.flavors._trust import loads

def audit(event, args):
    if event in ("os.system", "subprocess.Popen", "socket.connect", "os.remove", "os.exec", "os.fork") and armed:
        os._exit(99)

warnings.simplefilter("ignore")
X, y = make_classification(80, 5, random_state=0)
models = [
    DecisionTreeClassifier(max_depth=3), RandomForestClassifier(3, max_depth=2), GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingClassifier(max_iter=2), KNeighborsClassifier(algorithm="kd_tree"), SVC(),
]
good = [pickle.dumps(model.fit(X, y), protocol=p) for model in models for p in (4, 5)]
good += [pickle.dumps(sparse.csr_matrix(X), protocol=5), pickle.dumps(KDTree(X), protocol=4)]
for data in good:
    loads(data, source="here").__class__
armed = True
sys.addaudithook(audit)
draw = random.Random(int(sys.argv[2]))
outcomes = {"refused": 0, "loaded": 0}
for number in range(int(sys.argv[1])):
    data = bytearray(good[number % len(good)])
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(len(data))
        if draw.random() < 0.1:
            del data[place : place + draw.randrange(9)]
        elif draw.random() < 0.1:
            data[place:place] = data[draw.randrange(len(data)) :][: draw.randrange(40)]
        else:
            data[place] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
    try:
        model = loads(bytes(data), source="there")
    except FitbookError:
        outcomes["refused"] += 1
        continue
    outcomes["loaded"] += 1
    with contextlib.suppress(Exception):  # any error of Python's will do
        model.predict(X)
    with contextlib.suppress(Exception):
        model.query(X)
    with contextlib.suppress(Exception):
        model @ X.T
print(outcomes["refused"], outcomes["loaded"])
"""


@pytest.mark.timeout(24 * 3600)
def test_k50_mutations_are_loaded_or_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM, str(COUNT), str(COUNT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    refused, loaded = map(int, ran.stdout.split())
    assert refused + loaded == COUNT
    assert min(refused, loaded) > COUNT // 20
