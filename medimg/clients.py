"""What medimg leans on of its clients beyond what they promise: private names of `datasets` and `huggingface_hub`.

All of it stands here, each with the versions for which it was looked at. Where a version lacks one, either there is
another way, or a named error says so.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from medimg.errors import MedimgError

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

CHECKED = {"datasets": "5.0 to 5.2", "huggingface_hub": "1.17 to 2.4"}
"""Versions for which the names here were looked at."""


class ClientVersionError(MedimgError):
    """The installed version of a client lacks something that medimg needs of it."""


def _private(owner: Any, name: str, package: str) -> Any:
    """A private name of a client.

    Raises:
        ClientVersionError: the installed version has none of that name.
    """
    try:
        return getattr(owner, name)
    except AttributeError as error:
        raise ClientVersionError(
            f"{package} {version(package)} has no {name}, which medimg needs of it",
            next_step=f"install a version for which it was tried: {package} {CHECKED[package]}.",
        ) from error


def examples_iterable() -> Any:
    """Base class of what an `IterableDataset` draws its examples from (`datasets`)."""
    from datasets import iterable_dataset

    return _private(iterable_dataset, "_BaseExamplesIterable", "datasets")


def is_uploaded(operation: CommitOperationAdd) -> bool:
    """Whether the content of a coming commit is on the Hub already (`huggingface_hub`)."""
    return bool(_private(operation, "_is_uploaded", "huggingface_hub"))


def upload_mode(operation: CommitOperationAdd) -> Literal["lfs", "regular"] | None:
    """How the Hub wants a file; None as long as it was not asked (`huggingface_hub`)."""
    found: Literal["lfs", "regular"] | None = _private(operation, "_upload_mode", "huggingface_hub")
    return found


def client_factory() -> Callable[[], Any]:
    """What makes the HTTP clients of `huggingface_hub` now: somebody's own factory, or the usual one."""
    from huggingface_hub.utils import _http

    usual = _private(_http, "default_client_factory", "huggingface_hub")
    found: Callable[[], Any] = getattr(_http, "_GLOBAL_CLIENT_FACTORY", usual)
    return found


def parse_cards_once() -> None:
    """Let YAML that was parsed before not be parsed again: clients parse the whole card anew for each of its configs.

    Without PyYAML nothing changes: no client parses with it, either.
    """
    try:
        import yaml
    except ImportError:
        return
    known = functools.lru_cache(maxsize=4)(yaml.safe_load)
    yaml.safe_load = lambda text: copy.deepcopy(known(text))
