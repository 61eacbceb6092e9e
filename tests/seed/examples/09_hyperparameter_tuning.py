# Seed, "Hyperparameter Tuning Integration".
# Mended: the missing import of pandas; a smaller grid, for time.
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV

import fitbook as mlflow
import fitbook.sklearn

# Set up experiment
mlflow.set_experiment("hyperparameter_tuning")

# Define parameter grid
param_grid = {"n_estimators": [5, 10], "max_depth": [5, None], "min_samples_split": [2, 5]}

# Generate sample data
X = np.random.randn(1000, 10)
y = np.random.randint(0, 2, 1000)

# Grid search with MLflow tracking
with mlflow.start_run():
    # Create base model
    base_model = RandomForestClassifier(random_state=42)

    # Grid search
    grid_search = GridSearchCV(base_model, param_grid, cv=5, scoring="accuracy", n_jobs=-1)

    grid_search.fit(X, y)

    # Log best parameters
    mlflow.log_params(grid_search.best_params_)

    # Log best score
    mlflow.log_metric("best_cv_score", grid_search.best_score_)

    # Log all results
    results_df = pd.DataFrame(grid_search.cv_results_)
    results_df.to_csv("grid_search_results.csv", index=False)
    mlflow.log_artifact("grid_search_results.csv")

    # Log best model
    mlflow.sklearn.log_model(grid_search.best_estimator_, "best_model")

    print(f"Best parameters: {grid_search.best_params_}")
    print(f"Best CV score: {grid_search.best_score_:.4f}")
