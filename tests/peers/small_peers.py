"""Peers with a reader or two: eyepy (RETOUCH) and traccuracy (Cell Tracking Challenge)."""

from __future__ import annotations

import contextlib
import io
import sys
import unittest.mock
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import Case, Check, Ours, Workspace

FLUIDS = {"IRF": "intraretinal fluid", "SRF": "subretinal fluid", "PED": "pigment epithelial detachment"}


def _retouch(files: Path, work: Workspace) -> list[Case]:
    import skimage.transform._geometric as moved

    # Since scikit-image 0.26 the class that eyepy names in an annotation has another place.
    moved.GeometricTransform = getattr(moved, "GeometricTransform", object)
    import eyepy

    cases = []
    for scan in sorted(work.unpack().rglob("oct.mhd")):
        volume = eyepy.import_retouch(scan.parent)
        found = {each.name: np.asarray(each.data).T for each in volume.volume_maps.values()}
        image = np.asarray(volume.data).T
        mask = np.stack([found[name] for name in FLUIDS]) if found else None
        cases.append(Case(scan.parent.name, image=image, mask=mask))
    return cases


def _tracks(files: Path, work: Workspace) -> list[Case]:
    with empty("geff", "pylapy", "skan", "skan.csr", "zarr"):
        from traccuracy.loaders import load_ctc_data

    cases = []
    for folder in sorted(work.unpack().rglob("TRA")):
        sequence, name = folder.parent.name.removesuffix("_GT"), folder.parents[1].name
        with contextlib.redirect_stderr(io.StringIO()):
            data = load_ctc_data(str(folder))
        for time, frame in enumerate(data.segmentation):
            label = _tracks_at(data.graph, time)
            mask = frame if frame.ndim == 2 else frame.transpose(2, 1, 0)
            cases.append(Case(f"{name}-train-{sequence}-t{time:03d}", mask=mask, label=label))
    return cases


@contextlib.contextmanager
def empty(*names: str) -> Iterator[None]:
    """Stand-ins for what a package imports for other purposes: its metrics, another format."""
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        sys.modules[name] = unittest.mock.MagicMock()
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def _tracks_at(graph: Any, time: int) -> list[list[int]]:
    """[track, first frame, last frame, parent] of the tracks at a time, as in man_track.txt."""
    cells = {node: (about["segmentation_id"], about["t"]) for node, about in graph.nodes(data=True)}
    found = []
    for track in sorted({track for track, at in cells.values() if at == time}):
        times = sorted(at for each, at in cells.values() if each == track)
        (first,) = (node for node, cell in cells.items() if cell == (track, times[0]))
        parents = [cells[node][0] for node in graph.predecessors(first)]
        found.append([track, times[0], times[-1], parents[0] if parents else 0])
    return found


def _frame(row: Ours) -> str:
    """Frame numbers have three digits, or four in long sequences."""
    head, _, number = row.name.split("/")[1].rpartition("-t")
    return f"{head}-t{int(number):03d}"


CHECKS = [
    Check(
        "retouch",
        "eyepy.import_retouch",
        _retouch,
        peer="eyepie",
        mask=lambda row: np.stack([row.named(name) for name in FLUIDS.values()]),
        why={"cases": "TRAIN024 has no reference.mhd in our phantom; such a training scan gives no row"},
    ),
    Check(
        "cell-tracking-challenge",
        "traccuracy.loaders.load_ctc_data",
        _tracks,
        peer="traccuracy",
        rows=lambda row: row.config.startswith("tracks"),
        key=_frame,
        label=lambda row: row.label["source"],
        notes="Every frame of all 20 cell types: the markers, and the tracks with their parents; its own checks of the "
        "format pass.",
    ),
]
