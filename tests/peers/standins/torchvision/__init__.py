"""In place of torchvision, which would bring CUDA packages: imported by peers, used by none of the loaders."""

from . import models, transforms

__all__ = ["models", "transforms"]
