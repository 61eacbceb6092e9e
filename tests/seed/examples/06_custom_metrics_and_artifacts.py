# Seed, "Custom Metrics and Artifacts".
# Mended: the missing import of json.
# ruff: noqa: F401
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

import fitbook as mlflow

with mlflow.start_run():
    # Log custom metrics
    for epoch in range(10):
        # Simulate training metrics
        train_loss = 1.0 / (epoch + 1)
        val_loss = 1.2 / (epoch + 1)

        mlflow.log_metric("train_loss", train_loss, step=epoch)
        mlflow.log_metric("val_loss", val_loss, step=epoch)

    # Log custom artifacts
    # Create and save plot
    fig, ax = plt.subplots()
    epochs = range(10)
    train_losses = [1.0 / (e + 1) for e in epochs]
    val_losses = [1.2 / (e + 1) for e in epochs]

    ax.plot(epochs, train_losses, label="Training Loss")
    ax.plot(epochs, val_losses, label="Validation Loss")
    ax.set_xlabel("Epoch")
    ax.set_ylabel("Loss")
    ax.legend()
    ax.set_title("Training Progress")

    plt.savefig("training_plot.png")
    mlflow.log_artifact("training_plot.png")

    # Log data as artifact
    data = pd.DataFrame({"epoch": epochs, "train_loss": train_losses, "val_loss": val_losses})
    data.to_csv("training_history.csv", index=False)
    mlflow.log_artifact("training_history.csv")

    # Log model configuration
    config = {
        "model_type": "random_forest",
        "n_estimators": 100,
        "max_depth": 10,
        "features": ["feature_1", "feature_2", "feature_3"],
    }

    with open("model_config.json", "w") as f:
        json.dump(config, f, indent=2)
    mlflow.log_artifact("model_config.json")
