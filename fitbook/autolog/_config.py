"""What the user asked of `autolog`, and whether it is on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Config:
    """The options of `fitbook.autolog`; documented there."""

    log_models: bool = True
    log_datasets: bool = True
    log_model_signatures: bool = True
    log_input_examples: bool = False
    log_post_training_metrics: bool = True
    log_plots: bool = True
    silent: bool = False
    exclusive: bool = False
    max_tuning_runs: int | None = None
    registered_model_name: str | None = None
    serialization_format: str | None = None
    pos_label: int | str | None = None
    resume_search: bool = False
    progress: bool | None = None
    extra_tags: Mapping[str, str] = field(default_factory=dict)
