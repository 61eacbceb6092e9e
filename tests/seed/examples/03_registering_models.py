# Seed, "Registering Models".
# Mended: the model, which the seed leaves unfitted, is fitted.
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import fitbook as mlflow
import fitbook.sklearn

# Train and log model
with mlflow.start_run():
    model = RandomForestClassifier(n_estimators=100, random_state=42)
    X = np.random.randn(200, 10)
    y = np.random.randint(0, 2, 200)
    model.fit(X, y)

    # Log model
    mlflow.sklearn.log_model(model, "model")

    # Register model
    model_uri = f"runs:/{mlflow.active_run().info.run_id}/model"
    registered_model = mlflow.register_model(model_uri=model_uri, name="my_classifier")

    print(f"Registered model: {registered_model.name}")
    print(f"Version: {registered_model.version}")
