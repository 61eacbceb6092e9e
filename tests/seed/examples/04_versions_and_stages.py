# Seed, "Model Versioning and Staging".
# As it stands there.
# ruff: noqa: F401
import fitbook as mlflow
from fitbook.tracking import MlflowClient

client = MlflowClient()

# List registered models
for rm in client.list_registered_models():
    print(f"Model: {rm.name}")

# Get model versions
model_name = "my_classifier"
for mv in client.search_model_versions(f"name='{model_name}'"):
    print(f"Version: {mv.version}")
    print(f"Stage: {mv.current_stage}")
    print(f"Run ID: {mv.run_id}")
    print("---")

# Transition model to staging
client.transition_model_version_stage(name=model_name, version=1, stage="Staging")

# Transition model to production
client.transition_model_version_stage(name=model_name, version=1, stage="Production")

# Get latest production model
latest_production = client.get_latest_versions(name=model_name, stages=["Production"])[0]

print(f"Latest production model: {latest_production.version}")
