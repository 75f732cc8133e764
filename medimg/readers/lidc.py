"""The XML of LIDC-IDRI: what up to four radiologists marked on a chest CT.

How the source marks: nodules of 3 mm and more have one closed outline per slice; the outline's own pixels are
just outside of the nodule, so only what they enclose belongs to it, and regions with inclusion FALSE are
taken out the same way. Nodules under 3 mm and non-nodules are single points. Readers are not linked with each
other: a noduleID means something within one reader's session only, and a session's place in the file does not
identify a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from medimg.errors import FormatError, GeometryError, SourceError
from medimg.pixels import Array, Volume
from medimg.readers.dicom import Series
from medimg.readers.grids import VolumePixels
from medimg.readers.promises import PromisedVolume, reading
from medimg.readers.tables import xml

if TYPE_CHECKING:
    from medimg.files import File

# Elements that may occur more than once, and so are lists even where there is one.
_LISTS = {
    *("readingSession", "CXRreadingSession", "unblindedReadNodule", "blindedReadNodule", "unblindedRead"),
    *("nonNodule", "roi", "characteristics", "locus"),
}


@dataclass(frozen=True)
class LidcReading:
    """One XML file.

    Attributes:
        kind: "CT", or "CXR" for a reading of a chest radiograph (IdriReadMessage), which has no place in a
            CT.
        series_uid: SeriesInstanceUID of the images that were read; None where the file does not say.
        sessions: one per reader, as the file has it, names of elements as keys: strings, lists and dicts
            only. Edge maps are lists of [x, y].
        header: the file's ResponseHeader.
        file: where it was read.
    """

    kind: Literal["CT", "CXR"]
    series_uid: str | None
    sessions: tuple[dict[str, Any], ...]
    header: dict[str, Any]
    file: File

    @property
    def source(self) -> dict[str, Any]:
        """Everything as json can hold it."""
        return {
            "file": self.file.path,
            "kind": self.kind,
            "header": self.header,
            "sessions": list(self.sessions),
        }


class NoduleBox(NamedTuple):
    """What one reader outlined as one nodule.

    Attributes:
        box: half-open, (i0, j0, k0, i1, j1, k1) in voxels of the CT, around the voxels that belong to the
            nodule.
        reader: place of the session in the file, from 0.
        nodule: the reader's noduleID.
        characteristics: ratings such as malignancy (1 to 5), as the source gives them.
    """

    box: tuple[int, int, int, int, int, int]
    reader: int
    nodule: str
    characteristics: dict[str, str]


class NodulePoint(NamedTuple):
    """A single point that one reader marked.

    Attributes:
        point: (i, j, k) in voxels of the CT.
        reader: place of the session in the file, from 0.
        nodule: the reader's noduleID or nonNoduleID.
        kind: "nodule" for a nodule under 3 mm, "non-nodule" for something else of 3 mm or more.
    """

    point: tuple[int, int, int]
    reader: int
    nodule: str
    kind: Literal["nodule", "non-nodule"]


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _plain(element: Element, depth: int = 0) -> Any:
    """An element as strings, lists and dicts."""
    if depth > 20:
        raise FormatError("the XML is nested too deeply")
    if not len(element):
        return (element.text or "").strip()
    told: dict[str, Any] = {}
    edges: list[list[int]] = []
    for child in element:
        name = _tag(child)
        value = _plain(child, depth + 1)
        if name in ("edgeMap", "locus") and isinstance(value, dict):
            edges.append([_whole(value, "xCoord"), _whole(value, "yCoord")])
        elif name in _LISTS:
            told.setdefault(name, []).append(value)
        elif name in told:
            # Not known to repeat: keep both.
            old = told[name]
            told[name] = [*old, value] if isinstance(old, list) else [old, value]
        else:
            told[name] = value
    if edges:
        told["locus" if _tag(element) == "nonNodule" else "edgeMap"] = edges
    return told


def _whole(values: Mapping[str, Any], name: str) -> int:
    try:
        return int(values[name])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name} = {values.get(name)!r} is no pixel") from error


def read(file: File) -> LidcReading:
    """Parse one XML file of LIDC-IDRI.

    Raises:
        FormatError: it is no XML, or of neither kind.
    """
    with reading(file):
        root = xml(file)
        kinds: dict[str, Literal["CT", "CXR"]] = {"LidcReadMessage": "CT", "IdriReadMessage": "CXR"}
        kind = kinds.get(_tag(root))
        if kind is None:
            raise FormatError(f"an XML of the kind {_tag(root)!r}, not of LIDC-IDRI")
        header: dict[str, Any] = {}
        sessions = []
        for child in root:
            value = _plain(child)
            if _tag(child) == "ResponseHeader" and isinstance(value, dict):
                header = value
            elif _tag(child) in ("readingSession", "CXRreadingSession"):
                sessions.append(value if isinstance(value, dict) else {})
        return LidcReading(
            kind=kind,
            series_uid=header.get("SeriesInstanceUid") or header.get("SeriesInstanceUID") or None,
            sessions=tuple(sessions),
            header=header,
            file=file,
        )


# from outlines to voxels


class _Patch(NamedTuple):
    """The interior of one outline: `inside` is (width i, height j) from voxel (i, j) of slice k."""

    i: int
    j: int
    k: int
    inside: Array


def _interior(edge: Sequence[Sequence[int]]) -> tuple[int, int, Array]:
    """What a closed outline encloses, without the outline: (i, j, inside) with inside (width, height), bool.

    Neighboring points are joined by straight lines where the source leaves a gap; a region is inside when no
    path of edge neighbors leads out of it.
    """
    from scipy import ndimage

    points = np.array(edge, dtype=np.int64).reshape(-1, 2)
    low = points.min(axis=0) - 1
    size = points.max(axis=0) - low + 2
    if size.max() > 1 << 15:
        raise FormatError("an outline is larger than any image")
    wall = np.zeros(size, bool)
    for (x0, y0), (x1, y1) in zip(points - low, np.roll(points, -1, axis=0) - low, strict=True):
        n = int(max(abs(x1 - x0), abs(y1 - y0), 1))
        along = np.arange(n + 1) / n
        wall[np.rint(x0 + (x1 - x0) * along).astype(int), np.rint(y0 + (y1 - y0) * along).astype(int)] = True
    inside: Array = ndimage.binary_fill_holes(wall) & ~wall
    return int(low[0]), int(low[1]), inside


@dataclass(frozen=True, eq=False)
class _Nodule:
    reader: int
    nodule: str
    characteristics: dict[str, str]
    patches: list[_Patch]


@dataclass(frozen=True, eq=False)
class _Found:
    """Everything in the XML: what has a place in the series, marks that have none, outlines that enclose nothing."""

    nodules: list[_Nodule]
    points: list[NodulePoint]
    unplaced: list[str]
    hollow: list[str]
    readers: int

    @property
    def notes(self) -> dict[str, Any]:
        told = {"unplaced": self.unplaced, "outlines_without_interior": self.hollow}
        return {"readers": self.readers} | {key: some for key, some in told.items() if some}


class _Places:
    """Finds the slice of a mark, by SOPInstanceUID, else by z within half the distance between slices."""

    def __init__(self, image: Series) -> None:
        plan = image.plan
        self.shape = plan.shape
        self.uids = {item.uid: k for k, item in enumerate(plan.slices)}
        self.z = np.array([float(item.plane.position[2]) for item in plan.slices])
        apart = np.abs(np.diff(self.z))
        # Not the usual distance: where more slices are missing than not, that is a multiple of the true one.
        self.half = float(apart[apart > 0].min() if apart.any() else abs(plan.affine[2, 2])) / 2

    def slice(self, mark: Mapping[str, Any]) -> int | None:
        uid = str(mark.get("imageSOP_UID") or "").strip()
        if uid in self.uids:
            return self.uids[uid]
        try:
            z = float(mark.get("imageZposition", "nan"))
        except (TypeError, ValueError):
            return None
        away = np.abs(self.z - z)
        k = int(np.argmin(away))
        return k if away[k] < self.half else None

    def check(self, points: Sequence[Sequence[int]]) -> None:
        for x, y in points:
            if not (0 <= x < self.shape[0] and 0 <= y < self.shape[1]):
                raise GeometryError(f"a mark at x {x}, y {y} is outside of the image of {self.shape[:2]}")


def _listed(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [item for item in holder.get(name) or [] if isinstance(item, dict)]


def _find(readings: Sequence[LidcReading], places: _Places) -> _Found:
    """Place every mark of the readings' sessions."""
    sessions = [(one.file, session) for one in readings for session in one.sessions]
    found = _Found([], [], [], [], len(sessions))
    for reader, (file, session) in enumerate(sessions):
        with reading(file):
            _session(session, reader, places, found)
    return found


def _session(session: Mapping[str, Any], reader: int, places: _Places, found: _Found) -> None:
    """Place the marks of one reader."""
    for nodule in (*_listed(session, "unblindedReadNodule"), *_listed(session, "blindedReadNodule")):
        name = str(nodule.get("noduleID", ""))
        rois = _listed(nodule, "roi")
        small = all(len(roi.get("edgeMap", ())) < 2 for roi in rois)
        filled: dict[int, list[tuple[bool, int, int, Array]]] = {}
        for roi in rois:
            edge = roi.get("edgeMap") or []
            k = places.slice(roi)
            if k is None or not edge:
                found.unplaced.append(f"reader {reader}, nodule {name}, z {roi.get('imageZposition', '?')}")
                continue
            places.check(edge)
            if small:
                found.points.append(NodulePoint((edge[0][0], edge[0][1], k), reader, name, "nodule"))
                continue
            i, j, inside = _interior(edge)
            if not inside.any():
                found.hollow.append(f"reader {reader}, nodule {name}, slice {k}")
                continue
            included = str(roi.get("inclusion", "TRUE")).upper() != "FALSE"
            filled.setdefault(k, []).append((included, i, j, inside))
        patches = [patch for k, parts in sorted(filled.items()) if (patch := _merged(parts, k)) is not None]
        if patches:
            ratings = next(iter(_listed(nodule, "characteristics")), {})
            found.nodules.append(_Nodule(reader, name, ratings, patches))
    for other in _listed(session, "nonNodule"):
        name = str(other.get("nonNoduleID", ""))
        k = places.slice(other)
        for x, y in other.get("locus", ()):
            if k is None:
                found.unplaced.append(f"reader {reader}, non-nodule {name}, z {other.get('imageZposition', '?')}")
                continue
            places.check([(x, y)])
            found.points.append(NodulePoint((x, y, k), reader, name, "non-nodule"))


def _merged(parts: Sequence[tuple[bool, int, int, Array]], k: int) -> _Patch | None:
    """One nodule in one slice: all included regions without all excluded ones; None where nothing is left."""
    i0, j0 = min(i for _, i, _, _ in parts), min(j for _, _, j, _ in parts)
    i1, j1 = max(i + a.shape[0] for _, i, _, a in parts), max(j + a.shape[1] for _, _, j, a in parts)
    inside = np.zeros((i1 - i0, j1 - j0), bool)
    for included, i, j, area in sorted(parts, key=lambda part: not part[0]):
        view = inside[i - i0 : i - i0 + area.shape[0], j - j0 : j - j0 + area.shape[1]]
        view[...] = (view | area) if included else (view & ~area)
    if not inside.any():
        return None
    columns, rows = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    a, b, c, d = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    return _Patch(i0 + a, j0 + c, k, inside[a:b, c:d])


def _mask(annotations: Annotations) -> Volume:
    grid, found = annotations.image.grid(), annotations._found
    volume = grid.empty(np.uint8, found.notes)
    array = volume.array
    # A reader counts once per voxel, also where two of the reader's nodules touch.
    by_reader: dict[int, dict[int, list[_Patch]]] = {}
    for nodule in found.nodules:
        for patch in nodule.patches:
            by_reader.setdefault(nodule.reader, {}).setdefault(patch.k, []).append(patch)
    for slices in by_reader.values():
        for k, patches in slices.items():
            plane = np.zeros(grid.shape[:2], bool)
            for patch in patches:
                width, height = patch.inside.shape
                plane[patch.i : patch.i + width, patch.j : patch.j + height] |= patch.inside
            array[:, :, k] += plane
    return volume


@dataclass(frozen=True)
class Annotations:
    """Everything that LIDC's readers marked on one CT series. All is read when first needed, once.

    Marks are joined to slices by imageSOP_UID, else by imageZposition within half the distance between
    slices; marks on slices that are not there are listed in `notes`. No pixels of the CT are read.

    Attributes:
        xml_files: candidates; those of other series and of radiographs are passed over.
        image: the CT.

    Raises:
        SourceError: when the result is used: no file is about this series.
        FormatError: when the result is used: an XML file or a slice cannot be read.
        GeometryError: when the result is used: see `dicom.series`; or a mark is outside of the image.
    """

    xml_files: tuple[File, ...]
    image: Series

    @cached_property
    def readings(self) -> tuple[LidcReading, ...]:
        """The readings of this series, CT only.

        Raises:
            SourceError: no file is about this series.
        """
        uid = self.image.plan.slices[0].tags.get("SeriesInstanceUID")
        every = [read(file) for file in self.xml_files]
        mine = [one for one in every if one.kind == "CT" and one.series_uid == uid]
        if not mine:
            others = ", ".join(f"{one.kind} {one.series_uid}" for one in every) or "none"
            raise SourceError(
                f"no reading of the CT series {uid} (there are: {others})",
                file=next((file.path for file in self.xml_files), None),
                next_step="pair XML files and series by SeriesInstanceUid",
            )
        different = {str(one.sessions): one for one in reversed(mine)}
        return tuple(reversed(different.values()))

    @cached_property
    def _found(self) -> _Found:
        return _find(self.readings, _Places(self.image))

    @property
    def mask(self) -> VolumePixels:
        """On the CT's grid, uint8: how many readers include the voxel in a nodule of 3 mm or more."""
        return PromisedVolume(self.xml_files, self.image, _mask, (self,))

    @property
    def boxes(self) -> list[NoduleBox]:
        """One per reader and nodule of 3 mm or more, of the mask's voxels."""
        boxes = []
        for nodule in self._found.nodules:
            i0, j0, k0 = (min(getattr(patch, axis) for patch in nodule.patches) for axis in "ijk")
            i1 = max(patch.i + patch.inside.shape[0] for patch in nodule.patches)
            j1 = max(patch.j + patch.inside.shape[1] for patch in nodule.patches)
            k1 = max(patch.k for patch in nodule.patches) + 1
            boxes.append(NoduleBox((i0, j0, k0, i1, j1, k1), nodule.reader, nodule.nodule, nodule.characteristics))
        return boxes

    @property
    def points(self) -> list[NodulePoint]:
        """Nodules under 3 mm and non-nodules."""
        return list(self._found.points)

    @property
    def notes(self) -> dict[str, Any]:
        """For `meta`: number of readers, marks on missing slices, outlines that enclose nothing."""
        return dict(self._found.notes)

    @property
    def source(self) -> dict[str, Any]:
        """The XML as it is, for the row's `source`."""
        return {"readings": [one.source for one in self.readings]}
