"""The workers of a Dask cluster, each of which does one dataset after the other.

Dask starts a dataset anew that a lost worker was on. Nothing is shared but the source and the Hub: both must be
reached from every worker. The Hub's token goes with each dataset, over the cluster's own connections.
"""

from __future__ import annotations

import functools
import pickle
import sys
import uuid
from collections.abc import Sequence
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from medimg import registry
from medimg.errors import MedimgError, MissingExtraError
from medimg.hub_sync.results import Result
from medimg.hub_sync.unit import WorkUnit
from medimg.hub_sync.workers.team import Inbox

SAME = ("medimg", "datasets", "huggingface_hub", "nibabel", "numpy", "pillow", "pyarrow", "pydantic")
"""Packages whose versions decide about bytes: all workers must have those of the caller."""
PATIENCE = 30.0
"""Seconds until a scheduler must have answered."""


class ClusterError(MedimgError):
    """The cluster cannot be used."""


class Cluster(Inbox):
    """To be used with `with`.

    Args:
        address: of the scheduler, e.g. tcp://10.0.0.1:8786.

    Raises:
        MissingExtraError: Dask is not installed.
        ClusterError: nobody answers, there is no worker, or one has other versions.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        try:
            import distributed
        except ImportError as error:
            raise MissingExtraError(
                "a cluster needs Dask", next_step='Install it: pip install "medimg[cluster]".'
            ) from error
        try:
            self._client: Any = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {address} ({error})", next_step="Start one: `dask scheduler`."
            ) from error
        try:
            self.size = sum(self._client.nthreads().values())
            self._check(address)
        except BaseException:
            self._client.close()
            raise
        self._topic = f"medimg-{uuid.uuid4().hex}"
        self._client.subscribe_topic(self._topic, lambda event: self.put(pickle.loads(event[1])))
        self._futures: list[Any] = []

    def _check(self, address: str) -> None:
        if not self.size:
            raise ClusterError(
                f"the scheduler at {address} has no worker", next_step=f"Start one: `dask worker {address}`."
            )
        own = _versions()
        for worker, found in self._found().items():
            if differs := [f"{name} {found[name]} instead of {own[name]}" for name in own if found[name] != own[name]]:
                raise ClusterError(
                    f"the worker {worker} has {', '.join(differs)}, so its bytes may differ",
                    next_step="Install the same versions on every worker (requirements.lock).",
                )

    def _found(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = self._client.run(_versions)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.cancel(self._futures)
        self._client.close()

    def give(self, unit: WorkUnit) -> None:
        """Take on a dataset."""
        self.expect()
        key = f"{unit.name}-{self._topic}"
        future: Any = self._client.submit(_work, unit, self._topic, registry.places(), key=key, pure=False)
        self._futures.append(future)
        future.add_done_callback(functools.partial(self._ended, unit.name))

    def _ended(self, name: str, future: Any) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self.put(future.result())
        else:
            told = f"{name}: its workers were lost ({error}). Next: give each worker more memory, or look at its log."
            self.put(Result(name, "failed", told))


def _versions() -> dict[str, str]:
    return {"python": "{}.{}".format(*sys.version_info), **{name: version(name) for name in SAME}}


def _work(unit: WorkUnit, topic: str, paths: Sequence[str]) -> Result | None:
    """Done on a worker: what it says of its progress goes to the topic."""
    import distributed

    registry.look_in(paths)
    result: list[Any] = []
    worker: Any = distributed.get_worker()

    def give(message: object) -> None:
        if isinstance(message, tuple):
            worker.log_event(topic, pickle.dumps(message))
        else:
            result.append(message)

    unit.answer(give)
    found: Result | None = result[0]
    return found
