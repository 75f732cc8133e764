"""In place of torchvision, which has no build without CUDA here: imported by peers, used by none of the loaders."""

from . import models, transforms

__all__ = ["models", "transforms"]
