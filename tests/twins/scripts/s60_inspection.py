"""27: inspection functions, their curves and permutations."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)

X, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=500)
found = cross_validate(model, X, y, return_estimator=True, return_train_score=True, scoring=["accuracy", "f1_macro"])
print(
    sorted(found),
    found["test_accuracy"],
    found["train_f1_macro"].round(6),
    [sorted(vars(e)) for e in found["estimator"]][:1],
)
print(cross_val_predict(model, X, y, method="predict_proba").sum(0).round(6))
print(
    [
        np.round(part, 6).tolist()
        for part in learning_curve(model, X, y, train_sizes=[0.5, 1.0], shuffle=True, random_state=0)
    ]
)
print(validation_curve(model, X, y, param_name="C", param_range=[0.1, 1])[1].mean(1).round(6))
print(permutation_test_score(model, X, y, n_permutations=5, random_state=0)[1:])
print(permutation_importance(model.fit(X, y), X, y, n_repeats=2, random_state=0).importances_mean.round(6))
print(partial_dependence(model, X, [0])["average"].shape)
