"""40: matplotlib stays as the program has it."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True)
plt.rcParams["lines.linewidth"] = 3
figure = plt.figure("mine")
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
print(
    plt.get_fignums(),
    plt.gcf() is figure,
    plt.rcParams["lines.linewidth"],
    matplotlib.get_backend(),
    plt.isinteractive(),
)
display = RocCurveDisplay.from_estimator(model, X, y)
ConfusionMatrixDisplay.from_predictions(y, model.predict(X))
print(plt.get_fignums(), round(display.roc_auc, 4), len(display.ax_.lines))
plt.savefig("figure.png", metadata={"Software": None})
