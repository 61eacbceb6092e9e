"""The client, where scripts for MLflow 1.x and 2.x look for it."""

from fitbook.tracking._client import Client

MlflowClient = Client

__all__ = ["MlflowClient"]
