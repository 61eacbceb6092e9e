# Seed, "Advanced Experiment Tracking".
# Mended: the missing imports of the forest and of four metrics.
# ruff: noqa: F401, F841
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.model_selection import train_test_split

import fitbook as mlflow
import fitbook.sklearn

# Set experiment
mlflow.set_experiment("advanced_classification")


def train_and_log_model(X, y, model_params, run_name=None):
    with mlflow.start_run(run_name=run_name):
        # Log parameters
        for param, value in model_params.items():
            mlflow.log_param(param, value)

        # Split data
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)

        # Train model
        model = RandomForestClassifier(**model_params)
        model.fit(X_train, y_train)

        # Make predictions
        y_pred = model.predict(X_test)
        y_pred_proba = model.predict_proba(X_test)

        # Calculate metrics
        accuracy = accuracy_score(y_test, y_pred)
        precision = precision_score(y_test, y_pred, average="weighted")
        recall = recall_score(y_test, y_pred, average="weighted")
        f1 = f1_score(y_test, y_pred, average="weighted")

        # Log metrics
        mlflow.log_metric("accuracy", accuracy)
        mlflow.log_metric("precision", precision)
        mlflow.log_metric("recall", recall)
        mlflow.log_metric("f1_score", f1)

        # Log feature importance
        feature_importance = pd.DataFrame(
            {"feature": [f"feature_{i}" for i in range(X.shape[1])], "importance": model.feature_importances_}
        )
        feature_importance.to_csv("feature_importance.csv", index=False)
        mlflow.log_artifact("feature_importance.csv")

        # Log confusion matrix
        cm = confusion_matrix(y_test, y_pred)
        cm_df = pd.DataFrame(cm, columns=["Predicted 0", "Predicted 1"], index=["Actual 0", "Actual 1"])
        cm_df.to_csv("confusion_matrix.csv")
        mlflow.log_artifact("confusion_matrix.csv")

        # Log model
        mlflow.sklearn.log_model(model, "model")

        return model, accuracy


# Generate sample data
np.random.seed(42)
X = np.random.randn(1000, 10)
y = np.random.randint(0, 2, 1000)

# Train multiple models with different parameters
param_sets = [
    {"n_estimators": 50, "max_depth": 5, "random_state": 42},
    {"n_estimators": 100, "max_depth": 10, "random_state": 42},
    {"n_estimators": 200, "max_depth": 15, "random_state": 42},
]

for i, params in enumerate(param_sets):
    model, accuracy = train_and_log_model(X, y, params, run_name=f"rf_experiment_{i + 1}")
    print(f"Model {i + 1} accuracy: {accuracy:.4f}")
