"""Shared fixtures. Tests run offline: no proxy, no telemetry, no cache of the user."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with something else is no failure: how long one example takes is for benchmarks to say.
settings.register_profile("medimg", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("medimg")

# Before any Hugging Face library is imported: its settings are read at import.
_HOME = tempfile.mkdtemp(prefix="medimg-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    HF_HOME=_HOME,
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_XET="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
)
os.environ.pop("HF_TOKEN", None)

# A shell lets what it starts in the background ignore Ctrl-C, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).parents[1].parent / "shared"
"""Real samples and tables beside the repository, where a maintainer has them."""

LONG = [
    f"test_{name}.py"
    for name in (
        "sync_faults",
        "sync_hub",
        "docs",
        "fused",
        "withdrawal",
        "sweep",
        "fusion_told",
        "hub",
        "hub_hostile",
        "sync",
        "memory",
        "idc",
        "packaging",
        "fusion_duplicates",
        "fusion_plan",
        "suffixes",
        "fingerprint",
        "cards",
        "contract",
    )
]
"""Files that take minutes begin first, so that no core waits for the last of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order within a file stays."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))


@pytest.fixture
def samples() -> Path:
    """Folder of real samples; the test is skipped where it is absent."""
    folder = SHARED / "samples"
    if not folder.is_dir():
        pytest.skip("the real samples (../shared/samples) are not here")
    return folder


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded Hub for the whole session."""
    from medimg.hub_sync.hub.serve import EmbeddedHub

    with EmbeddedHub(tmp_path_factory.mktemp("hub")) as running:
        yield running.url


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; one for all workers of a run."""
    from environments import built_wheel

    base = tmp_path_factory.getbasetemp()
    return built_wheel((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheel")
