"""51: private names of scikit-learn are the objects that they were."""

import sklearn.base
import sklearn.model_selection._search as search
import sklearn.model_selection._validation as validation
import sklearn.utils.parallel as parallel

print(search._fit_and_score is validation._fit_and_score, validation._fit_and_score.__module__)
print(validation._score.__qualname__, parallel.Parallel.__mro__[1].__name__, sklearn.base.clone.__module__)
print(search._fit_and_score.__code__.co_filename[-14:])
