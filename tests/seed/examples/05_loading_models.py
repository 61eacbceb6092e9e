# Seed, "Loading Models".
# Mended: a real run id, that of the registered version, instead of the placeholder.
import numpy as np

import fitbook as mlflow
import fitbook.sklearn
from fitbook.tracking import MlflowClient

# Load model from run
run_id = MlflowClient().get_model_version("my_classifier", 1).run_id
loaded_model = mlflow.sklearn.load_model(f"runs:/{run_id}/model")

# Load model from registry
model_name = "my_classifier"
model_version = 1
loaded_model = mlflow.sklearn.load_model(f"models:/{model_name}/{model_version}")

# Load latest production model
loaded_model = mlflow.sklearn.load_model(f"models:/{model_name}/Production")

# Make predictions
X_new = np.random.randn(10, 10)
predictions = loaded_model.predict(X_new)
print(f"Predictions: {predictions}")
