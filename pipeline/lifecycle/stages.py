"""The lifecycle: every stage of `repath run`, in order."""

from __future__ import annotations

from pipeline.lifecycle.benchmark_stages import BENCHMARK_STAGES
from pipeline.lifecycle.model_stages import MODEL_STAGES
from pipeline.lifecycle.release_stages import LEAKAGE_STAGE, RELEASE_STAGES
from pipeline.lifecycle.training_stages import TRAINING_STAGES

STAGES = (*BENCHMARK_STAGES, *TRAINING_STAGES, LEAKAGE_STAGE, *MODEL_STAGES, *RELEASE_STAGES)
