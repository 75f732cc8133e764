"""The workers of a Dask cluster, each of which does one unit after the other: a dataset, or a portion of a large one.

Dask starts a unit anew that a lost worker was on. Nothing is shared but the source and the Hub: both must be
reached from every worker. The Hub's token goes with each unit, over the cluster's own connections.
"""

from __future__ import annotations

import functools
import itertools
import pickle
import sys
import uuid
from collections.abc import Sequence
from importlib.metadata import version
from types import TracebackType
from typing import Any

from medimg import registry
from medimg.errors import MedimgError, MissingExtraError
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.scratch import sweep
from medimg.hub_sync.verifying.verify import Reader
from medimg.hub_sync.workers.crew import CrewUnit, Inbox, LeadingCrew

SAME = ("medimg", "datasets", "huggingface_hub", "nibabel", "numpy", "pillow", "pyarrow", "pydantic")
"""Packages whose versions decide about bytes: all workers must have those of the caller."""
PATIENCE = 30.0
"""Seconds until a scheduler must have answered."""


class ClusterError(MedimgError):
    """The cluster cannot be used."""


class Cluster(LeadingCrew):
    """To be used with `with`.

    Args:
        address: of the scheduler, e.g. tcp://10.0.0.1:8786.
        hub, reader: of this process.

    Raises:
        MissingExtraError: Dask is not installed.
        ClusterError: nobody answers, there is no worker, or one has other versions.
    """

    def __init__(self, address: str, hub: Hub, reader: Reader) -> None:
        super().__init__(hub, reader)
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
            self._check(address)
        except BaseException:
            self._client.close()
            raise
        self._topic = f"medimg-{uuid.uuid4().hex}"
        self._client.subscribe_topic(self._topic, lambda event: self.put(pickle.loads(event[1])))
        self._futures: set[Any] = set()
        self._numbers = itertools.count()

    def _check(self, address: str) -> None:
        if not self._client.nthreads():
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

    @property
    def size(self) -> int:
        """How many at once; workers come and go."""
        threads: int = sum(self._client.nthreads().values())
        return max(1, threads)

    most = size

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._client.cancel(list(self._futures))
        self._client.close()

    def submit(self, unit: CrewUnit, inbox: Inbox) -> None:
        """Let a worker do it; its result goes to the inbox, its progress to the crew's own."""
        key = f"{unit.name}-{next(self._numbers)}-{self._topic}"
        future: Any = self._client.submit(_work, unit, self._topic, registry.places(), key=key, pure=False)
        self._futures.add(future)
        future.add_done_callback(functools.partial(self._ended, unit, inbox))

    def _ended(self, unit: CrewUnit, inbox: Inbox, future: Any) -> None:
        self._futures.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            inbox.put(future.result())
        else:
            next_step = "Give each worker more memory, or look at its log."
            inbox.put(unit.lost(ClusterError(f"its workers were lost ({error})", next_step=next_step)))


def _versions() -> dict[str, str]:
    return {"python": "{}.{}".format(*sys.version_info), **{name: version(name) for name in SAME}}


def _work(unit: CrewUnit, topic: str, paths: Sequence[str]) -> object:
    """Done on a worker: what it says of its progress goes to the topic."""
    import distributed

    registry.look_in(paths)
    sweep()  # what a lost worker has left on this computer
    result: list[Any] = []
    worker: Any = distributed.get_worker()

    def give(message: object) -> None:
        if isinstance(message, tuple):
            worker.log_event(topic, pickle.dumps(message))
        else:
            result.append(message)

    unit.answer(give)
    return result[0]
