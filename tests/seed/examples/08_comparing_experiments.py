# Seed, "Comparing Experiments".
# Mended: the missing import of pandas, and real run ids instead of the placeholders.
# ruff: noqa: F401
import pandas as pd

import fitbook as mlflow
from fitbook.tracking import MlflowClient

client = MlflowClient()

# Get all experiments
experiments = client.list_experiments()
for exp in experiments:
    print(f"Experiment: {exp.name} (ID: {exp.experiment_id})")

# Get runs from specific experiment
experiment_name = "my_experiment"
experiment = client.get_experiment_by_name(experiment_name)
runs = client.search_runs(experiment_ids=[experiment.experiment_id], order_by=["metrics.accuracy DESC"])

print(f"\nTop runs for {experiment_name}:")
for run in runs:
    print(f"Run ID: {run.info.run_id}")
    print(f"Accuracy: {run.data.metrics.get('accuracy', 'N/A')}")
    print(f"Parameters: {run.data.params}")
    print("---")


# Compare runs
def compare_runs(run_ids):
    comparison_data = []

    for run_id in run_ids:
        run = client.get_run(run_id)
        comparison_data.append(
            {
                "run_id": run_id,
                "accuracy": run.data.metrics.get("accuracy", 0),
                "precision": run.data.metrics.get("precision", 0),
                "recall": run.data.metrics.get("recall", 0),
                "n_estimators": run.data.params.get("n_estimators", 0),
                "max_depth": run.data.params.get("max_depth", 0),
            }
        )

    return pd.DataFrame(comparison_data)


# Compare specific runs
advanced = client.get_experiment_by_name("advanced_classification")
run_ids = [run.info.run_id for run in client.search_runs([advanced.experiment_id])][:3]
comparison_df = compare_runs(run_ids)
print(comparison_df)
