"""A usual value of each parameter that must be given: what a layer begins with, and what is put where it is missing."""

from __future__ import annotations

from typing import Any

USUAL: dict[str, Any] = {
    "out_channels": 16,
    "kernel_size": 3,
    "out_features": 64,
    "hidden_size": 64,
    "embedding_dim": 64,
    "output_size": 1,
    "num_groups": 4,
    "nhead": 4,
    "size": 5,
    "norm_type": 2.0,
    "threshold": 0.0,
    "value": 0.0,
    "padding": 1,
    "upscale_factor": 2,
    "downscale_factor": 2,
    "groups": 2,
    "times": 2,
    "degrees": 10,
    "sharpness_factor": 2.0,
    "bits": 4,
    "quality": 75,
}
