"""18: neither data nor estimators are kept alive."""

import gc
import time
import weakref

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score


class Data(np.ndarray):
    pass


X, y = np.random.default_rng(0).random((50, 3)).view(Data), np.arange(50.0)
model = LinearRegression().fit(X, y)
r2_score(y, model.predict(X))
references = [weakref.ref(X), weakref.ref(model)]
del X, model
for _ in range(100):
    gc.collect()
    if not any(reference() for reference in references):
        break
    time.sleep(0.1)
print([reference() for reference in references])
