"""MLflow's names of errors: ``except MlflowException`` catches what fitbook raises, with its ``error_code``."""

from fitbook.errors import FitbookError

MlflowException = FitbookError
RestException = FitbookError

__all__ = ["MlflowException", "RestException"]
