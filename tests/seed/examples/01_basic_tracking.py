# Seed, "Basic Experiment Tracking".
# As it stands there.
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score

import fitbook as mlflow
import fitbook.sklearn

# Set tracking URI (local filesystem)
mlflow.set_tracking_uri("file:./mlruns")

# Start an experiment
mlflow.set_experiment("my_experiment")

# Start a run
with mlflow.start_run():
    # Log parameters
    mlflow.log_param("n_estimators", 100)
    mlflow.log_param("max_depth", 10)
    mlflow.log_param("random_state", 42)

    # Train model
    model = RandomForestClassifier(n_estimators=100, max_depth=10, random_state=42)

    # Simulate training data
    X = np.random.randn(1000, 10)
    y = np.random.randint(0, 2, 1000)

    model.fit(X, y)
    predictions = model.predict(X)
    accuracy = accuracy_score(y, predictions)

    # Log metrics
    mlflow.log_metric("accuracy", accuracy)
    mlflow.log_metric("training_samples", len(X))

    # Log model
    mlflow.sklearn.log_model(model, "random_forest_model")

    # Log artifacts
    with open("model_info.txt", "w") as f:
        f.write(f"Model trained with accuracy: {accuracy}")
    mlflow.log_artifact("model_info.txt")

    print(f"Run ID: {mlflow.active_run().info.run_id}")
    print(f"Accuracy: {accuracy}")
