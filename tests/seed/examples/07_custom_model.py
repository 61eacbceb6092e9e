# Seed, "Custom Model Flavors".
# As it stands there.
# ruff: noqa: E402, F401, RET504
import numpy as np
import pandas as pd

import fitbook as mlflow
import fitbook.pyfunc


class CustomModel(mlflow.pyfunc.PythonModel):
    def __init__(self, model, scaler):
        self.model = model
        self.scaler = scaler

    def predict(self, context, model_input):
        # Preprocess input
        scaled_input = self.scaler.transform(model_input)
        # Make predictions
        predictions = self.model.predict(scaled_input)
        return predictions


# Train model and scaler
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

X = np.random.randn(1000, 10)
y = np.random.randint(0, 2, 1000)

scaler = StandardScaler()
X_scaled = scaler.fit_transform(X)

model = RandomForestClassifier(n_estimators=100, random_state=42)
model.fit(X_scaled, y)

# Create custom model
custom_model = CustomModel(model, scaler)

# Log custom model
with mlflow.start_run():
    mlflow.pyfunc.log_model(python_model=custom_model, artifact_path="custom_model")

# Load and use custom model
loaded_custom_model = mlflow.pyfunc.load_model("runs:/latest/custom_model")
X_new = np.random.randn(5, 10)
predictions = loaded_custom_model.predict(X_new)
print(f"Custom model predictions: {predictions}")
