"""Peers with a reader or two: eyepy, traccuracy, rt-utils, nilearn."""

from __future__ import annotations

import contextlib
import io
import sys
import unittest.mock
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import Case, Check, Ours, Workspace, outlines

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


def _rtstruct(files: Path, work: Workspace) -> list[Case]:
    """Each RTSTRUCT on the series that it names; the contours that are no points."""
    import pydicom
    from rt_utils import RTStructBuilder

    folders, drawings, cases = {}, [], []
    for file in sorted(files.rglob("*.dcm")):
        header = pydicom.dcmread(file, stop_before_pixels=True)
        folders[header.SeriesInstanceUID] = file.parent
        if header.Modality == "RTSTRUCT":
            drawings.append((file, header))
    for file, header in drawings:
        (series,) = header.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence
        data = RTStructBuilder.create_from(str(folders[series.SeriesInstanceUID]), str(file))
        cases.append(Case(series.SeriesInstanceUID, label=sorted(data.get_roi_names()), mask=_rois(data)))
    return cases


def _rois(data: Any) -> np.ndarray:
    """All areas in one mask; slices from low to high, as ours."""
    masks = [
        data.get_roi_mask_by_name(each.ROIName)
        for each, drawn in zip(data.ds.StructureSetROISequence, data.ds.ROIContourSequence, strict=True)
        if all(one.ContourGeometricType != "POINT" for one in drawn.get("ContourSequence") or [])
        and drawn.get("ContourSequence")
        and not each.ROIName.startswith(("patient", "PTV"))  # the body, the planned target
    ]
    side = min(masks[0].shape[:2])  # it takes rows for columns where an image is not square
    mask = np.any(masks, axis=0)[:side, :side].transpose(1, 0, 2)
    heights = [float(one.ImagePositionPatient[2]) for one in data.series_data]
    return mask[..., np.argsort(heights)]


PROSTATE = {
    "Normal": "normal prostate tissue",
    "Peripheral zone of the prostate": "peripheral zone of prostate",
}
PROSTATE |= {"Lesion": "prostate lesion", "Prostate": "prostate"}


def _segments(files: Path, work: Workspace) -> list[Case]:
    """The segments of all SEG of a series, on the grid of that series."""
    import highdicom
    import pydicom

    series: dict[str, list[Any]] = {}
    for file in sorted(files.rglob("*.dcm")):
        header = pydicom.dcmread(file)
        series.setdefault(header.SeriesInstanceUID, []).append(header)
    found: dict[str, dict[str, Any]] = {}
    for drawn in [each[0] for each in series.values() if each[0].Modality == "SEG"]:
        if "AIMI" in str(drawn.filename):
            continue
        uid = drawn.ReferencedSeriesSequence[0].SeriesInstanceUID
        image = highdicom.get_volume_from_series(series[uid])
        data = highdicom.seg.Segmentation.from_dataset(drawn)
        volume = data.get_volume(combine_segments=False).match_geometry(image)
        about = found.setdefault(uid, {"": _canonical(image.array, image.affine)})
        for n, number in enumerate(data.segment_numbers):
            name = data.get_segment_description(number).segment_label
            mask = _canonical(volume.array[..., n], image.affine)
            about[name] = about.get(name, 0) + mask  # how many SEG say so
    cases = []
    for uid, about in found.items():
        label = [name for name in PROSTATE if name in about]
        mask = np.stack([about[name] for name in label or ["Nodule"]])
        cases.append(Case(uid, image=about[""], mask=mask, label=label or None))
    return cases


def _canonical(array: Any, affine: Any, *, lps: bool = True) -> np.ndarray:
    """Axes as close to R, A, S as they come."""
    import nibabel

    turn = np.diag([-1, -1, 1, 1]) if lps else np.eye(4)
    image = nibabel.Nifti1Image(np.asarray(array, dtype="int32"), turn @ affine)
    return np.asarray(nibabel.as_closest_canonical(image).dataobj)


def _ours(row: Ours, array: Any) -> np.ndarray:
    import nibabel

    return _canonical(array, nibabel.Nifti1Image.from_bytes(bytes(row.values["image"]["bytes"])).affine, lps=False)


def _there(row: Ours) -> list[str]:
    return [name for name in PROSTATE if name in row.label["source"]["segments"]]


def _abide(files: Path, work: Workspace) -> list[Case]:
    """The peer downloads, from a server on this machine that has our files."""
    import functools
    import http.server
    import threading

    import nibabel
    from nilearn.datasets import fetch_abide_pcp

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *said: Any) -> None:
            pass

    cases = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(files)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for pipeline, band, everywhere in (("cpac", True, False), ("niak", False, True)):
            found = fetch_abide_pcp(
                data_dir=work.folder,
                pipeline=pipeline,
                band_pass_filtering=band,
                global_signal_regression=everywhere,
                derivatives=["func_preproc", "reho"],
                quality_checked=False,
                url=f"http://127.0.0.1:{server.server_port}",
                verbose=0,
            )
            strategy = f"{'' if band else 'no'}filt_{'' if everywhere else 'no'}global"
            for derivative in ("func_preproc", "reho"):
                for about, file in zip(found.phenotypic.to_dict("records"), found[derivative], strict=True):
                    name = f"{about['FILE_ID']}-{pipeline}-{strategy}-{derivative}"
                    label = {key: str(about[key]) for key in ("DX_GROUP", "DSM_IV_TR")}
                    cases.append(Case(name, image=np.asanyarray(nibabel.load(file).dataobj), label=label))
    finally:
        server.shutdown()
        server.server_close()
    return cases


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
    *(
        Check(
            slug,
            "rt_utils.RTStructBuilder.create_from",
            _rtstruct,
            peer="rt-utils",
            key=lambda row: row.meta["SeriesInstanceUID"],
            rows=lambda row: row.label["mask"] is not None,
            mask=lambda row: row.mask[: min(row.mask.shape[:2]), : min(row.mask.shape[:2])] > 0,
            label=lambda row: sorted(roi["ROIName"] for roi in row.label["source"]["ROIs"]),
            tolerate=outlines,
            after={
                "labels": "all areas that are structures of ours as one mask; pixels on an outline are inside to the "
                "peer (OpenCV's fillPoly); it takes rows for columns (image_helper.py, create_empty_series_mask): "
                "within a square"
            },
        )
        for slug in ("nsclc-radiomics", "4d-lung")
    ),
    Check(
        "abide",
        "nilearn.datasets.fetch_abide_pcp",
        _abide,
        peer="nilearn",
        key=lambda row: row.name.split("/")[1],
        rows=lambda row: row.config in ("functional", "derivatives") and "Outputs" in row.meta["source_path"],
        label=lambda row: row.label["source"],
        notes="It downloads, from a server on this machine that has our files in the archive's folders.",
    ),
    Check(
        "qin-prostate-repeatability",
        "highdicom.seg.Segmentation.get_volume",
        _segments,
        peer="highdicom",
        key=lambda row: row.meta["SeriesInstanceUID"],
        rows=lambda row: row.label["mask"] is not None,
        image=lambda row: _ours(row, row.image),
        mask=lambda row: np.stack([_ours(row, row.named(PROSTATE[name])) for name in _there(row)]),
        label=_there,
        notes="Each segment of each SEG, on the grid of its series.",
    ),
    Check(
        "qin-lung-ct",
        "highdicom.seg.Segmentation.get_volume",
        _segments,
        peer="highdicom",
        key=lambda row: row.meta["SeriesInstanceUID"],
        rows=lambda row: row.label["mask"] is not None,
        image=lambda row: _ours(row, row.image),
        mask=lambda row: _ours(row, row.mask)[None],
        notes="How many of the nine SEG say nodule, voxel by voxel; without those of AIMI, which our rows leave out.",
    ),
]
