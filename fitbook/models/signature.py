"""Signatures, where scripts for MLflow look for them."""

from fitbook.models._signature import ModelSignature, infer_signature

__all__ = ["ModelSignature", "infer_signature"]
