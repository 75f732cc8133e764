"""The values that arguments of `fuse` choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Encoding = Literal["index", "channels"]
OnDuplicate = Literal["drop", "keep", "error", "ignore"]
Order = Literal["concatenate", "interleave", "uniform", "proportional"]
Weights = Order | Mapping[str, float]
SPLITS = ("train", "validation", "test")
_SPLITS = {
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "testing": "test",
    "training": "train",
}


def split_fused(split: str) -> str:
    """The split of the fused set that a source's split belongs to: "val" is "validation"."""
    return _SPLITS.get(split, split)
