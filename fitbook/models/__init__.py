"""The MLmodel format: what a saved model says about itself. No ML library is needed to read or write it."""

from fitbook.models._environment import REQUIREMENTS, Requirements
from fitbook.models._example import read_example
from fitbook.models._installed import differences
from fitbook.models._mlmodel import MLMODEL, Model
from fitbook.models._schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from fitbook.models._script import ModelConfig, set_model
from fitbook.models._signature import ModelSignature, describe_signature, infer_signature

__all__ = [
    "MLMODEL",
    "REQUIREMENTS",
    "ColSpec",
    "DataType",
    "Model",
    "ModelConfig",
    "ModelSignature",
    "ParamSchema",
    "ParamSpec",
    "Requirements",
    "Schema",
    "TensorSpec",
    "describe_signature",
    "differences",
    "infer_signature",
    "read_example",
    "set_model",
]
