"""Collections of The Cancer Imaging Archive as its downloaders write them: one folder of DICOM per series.

`<collection>/<PatientID>/<study>/<series>/*.dcm`, where study and series are called by date and description or
by UID. Names tell nothing that headers do not: all is read from the headers.
"""

import re
from functools import reduce
from itertools import combinations, groupby, pairwise
from math import dist, hypot
from operator import or_

from medimg.declaration import Source
from medimg.errors import FormatError, LabelError, MedimgError
from medimg.readers import dicom, dicom_seg, dicom_slides, drawn, grids, rtstruct, volumes
from medimg.schema import Row, Skipped

MODALITIES = {"CT": "CT", "MR": "MRI", "PT": "PET"}
SUPPLEMENTS = {
    "SEG": "a segmentation",
    "RTSTRUCT": "a structure set",
    "SR": "a structured report: measurements, no pixels",
    "SM": "a slide, no radiology",
    "OT": "of no imaging modality",
    "PR": "a presentation state",
    "KO": "a list of key objects",
    "REG": "a registration",
    "RTDOSE": "a dose",
    "RTPLAN": "a plan",
}
"""Modality -> why it is no row by itself."""
APART = (
    "ImageType TemporalPositionIdentifier AcquisitionNumber DiffusionBValue FlipAngle EchoNumbers EchoTime "
    "TriggerTime"
).split()
"""Tags that may tell apart images at one place, in the order in which they are tried."""
COMMONS = (
    "4d-lung acrin-flt-breast lidc-idri lung-pet-ct-dx nsclc-radiomics qin-breast qin-lung-ct "
    "qin-prostate-repeatability rider-breast-mri tcga-lihc"
).split()
"""Collections that are in the Imaging Data Commons, too (idc-index-data 25.0.5)."""
SAID = "SeriesInstanceUID StudyInstanceUID SeriesNumber".split()


def folders(files, pattern=r"\.dcm$"):
    """(files, tags of the first) of every folder; see `headed`."""
    return map(headed, files.folders(pattern))


def headed(members):
    """Files, and the tags of the first; one that cannot be read has its problem as only tag."""
    try:
        _, tags = next(dicom.headers(members[:1]))
    except MedimgError as error:
        return members, {"problem": error.problem}
    lacking = [key for key in ("PatientID", "SeriesInstanceUID") if key not in tags]
    return members, {"problem": f"states no {lacking[0]}"} if lacking else tags


def patients(files, pattern=r"\.dcm$"):
    """Folders of one patient after the other: what lies two folders deeper than another folder is a patient's."""
    loose = []
    for patient, members in groupby(
        files.folders(pattern), lambda one: "/".join(one[0].path.split("/")[:-3])
    ):
        if patient:
            yield list(members)
        else:
            loose += members
    if loose:
        yield loose


def by_patient(files, rows, kind, modalities=("CT",), reasons=()):
    """Rows of one patient after the other, and what is none.

    Args:
        files: the view.
        rows: (scans, drawn) -> rows; scans are [(files, tags)], one at a time, so that one bad series is no more than
            that; drawn is SeriesInstanceUID -> objects that refer to it, from which `rows` takes those that it uses.
        kind: modality of the objects, SEG or RTSTRUCT.
        modalities: of the images.
        reasons: as of `rows`.
    """
    for patient in patients(files):
        scans, drawn = [], {}
        for members, tags in map(headed, patient):
            if tags.get("Modality") == kind:
                for file in members:
                    try:
                        _ = dicom_seg.check(file) if kind == "SEG" else rtstruct.rois(file)
                        for uid in rtstruct.references(file) or ("",):
                            drawn.setdefault(uid, []).append(file)
                    except MedimgError as error:
                        yield from skipped([file], f"quarantined: {error.problem}")
            elif reason := no_image(tags, reasons):
                yield from skipped(members, reason)
            elif tags["Modality"] not in modalities:
                yield from skipped(members, f"{tags['Modality']}, no modality of this set")
            else:
                scans.append((members, tags))
        for scan in scans:
            with files.row(*scan[0]):
                yield from rows([scan], drawn)
        yield from left(drawn)


def left(drawn):
    """Objects that were used by no row."""
    for objects in drawn.values():
        yield from skipped(objects, "drawn on a series that is not in this copy")


def collection(slug):
    """The collection's id in the Imaging Data Commons."""
    return slug.replace("-", "_")


def source(slug):
    """Page and sources of a collection; those that are in the Imaging Data Commons are streamed from its buckets."""
    home = f"https://www.cancerimagingarchive.net/collection/{slug}/"
    commons = (Source(url=f"idc://{collection(slug)}"),) if slug in COMMONS else ()
    return {"homepage": home, "sources": (*commons, Source(url=home, kind="page"))}


def skipped(files, reason):
    """Every one of some files with one reason."""
    for file in files:
        yield Skipped(file=file, reason=reason)


def said(tags):
    """What a header says of a series, for `meta`; the reader tells the technical tags."""
    return {key: tags[key] for key in SAID if key in tags}


def identity(tags):
    """The row's id: patient and series."""
    return f"{tags['PatientID']}_{tags['SeriesInstanceUID']}"


def no_image(tags, reasons=()):
    """Why a series is no volume, None where it may be one."""
    if "problem" in tags:
        return f"quarantined: {tags['problem']}"
    modality = tags.get("Modality", "?")
    if modality not in MODALITIES:
        return dict(reasons).get(modality) or SUPPLEMENTS.get(
            modality, f"{modality}, no modality of this set"
        )
    if str(tags.get("SOPClassUID", "")).startswith("1.2.840.10008.5.1.4.1.1.7"):
        return "a secondary capture: a picture of a screen"
    if "LOCALIZER" in str(tags.get("ImageType", "")).upper():
        return "a localizer"
    return None


def frames(members):
    """A series as stacks that have one image at each place.

    Dynamic and multi-echo series hold several images at each place, localizers planes of several directions.

    Returns:
        [(what sets the stack apart, files)]: nothing where there is one stack. "frame" counts from 0 in the
        order of InstanceNumber where no tag tells. What cannot be read is one stack: the reader says why.
    """
    try:
        return _frames(members)
    except MedimgError:
        return [({}, members)]


def _frames(members):
    planes = {}
    for one in dicom.placed(members):
        planes.setdefault((one.tags.get("SeriesInstanceUID"), one.direction), []).append(one)
    broken = any(len(found) == 1 for found in planes.values()) and any(
        _single(found) and not _even(found) for found in planes.values()
    )
    broken = broken or any(
        len(lone) == 1 and _belongs(lone[0], found)
        for lone in planes.values()
        for found in planes.values()
        if found is not lone
    )
    nameless = any(uid is None for uid, _ in planes)
    if len(planes) > 1 and (
        broken or nameless
    ):  # an image with a wrong direction, or of no series: the reader says so
        return [({}, members)]
    planes = [some for found in planes.values() for some in _sizes(found)]
    stacks = []
    for number, found in enumerate(planes):
        where = {"direction": number} if len(planes) > 1 else {}
        stacks += [(where | said, [each.file for each in one]) for said, one in _stacks(found)]
    return stacks


def _belongs(lone, found):
    """Whether an image lies where a slice of an even stack would: its direction is wrong, it is no localizer."""
    stack = {one.place: one for one in found}
    if len(stack) < 2:
        return False
    at = [one.tags["ImagePositionPatient"] for one in sorted(stack.values(), key=lambda one: one.mm)]
    place = lone.tags["ImagePositionPatient"]
    steps = [[a - b for a, b in zip(other, one, strict=True)] for one, other in pairwise(at)]
    near = 0.2 * min(hypot(*step) for step in steps)
    if any(dist(place, one) <= near for one in at):
        return True  # one of several images at that place
    along = sorted((*at, place), key=lambda one: sum(a * b for a, b in zip(one, steps[0], strict=True)))
    first, last, count = along[0], along[-1], len(along) - 1
    even = ([a + (b - a) * n / count for a, b in zip(first, last, strict=True)] for n in range(count + 1))
    return all(dist(one, wanted) <= near for one, wanted in zip(along, even, strict=True))


def _sizes(found):
    """Parallel images of several sizes apart, where each size is a stack along most of the way."""
    sizes = {}
    for one in found:
        sizes.setdefault((one.tags.get("Rows"), one.tags.get("Columns")), []).append(one)
    whole = _extent(found)
    if all(len(some) > 1 and _even(some) and _extent(some) > 0.5 * whole for some in sizes.values()):
        return list(sizes.values())
    return [found]  # of one size, or the reader says which image is another


def _extent(found):
    places = [one.mm for one in found]
    return max(places) - min(places)


def _single(found):
    return len({one.place for one in found}) == len(found)


def _even(found):
    places = sorted({one.place: one.mm for one in found}.values())
    steps = [other - one for one, other in pairwise(places)]
    return not steps or max(steps) - min(steps) <= 0.2 * max(steps)


def _stacks(found):
    if _single(found):
        groups = {}
        for one in [] if _even(found) else found:  # two acquisitions that overlap
            groups.setdefault(one.tags.get("AcquisitionNumber"), []).append(one)
        if len(groups) > 1 and all(len(one) > 1 and _even(one) for one in groups.values()):
            return [({"AcquisitionNumber": key}, one) for key, one in groups.items()]
        return [({}, found)]
    least = min(2, len({one.place for one in found}))
    for keyword in APART:
        groups = {}
        for one in found:
            groups.setdefault(str(one.tags.get(keyword)), []).append(one)
        if len(groups) > 1 and all(len(one) >= least and _single(one) for one in groups.values()):
            return [({keyword: one[0].tags.get(keyword)}, one) for one in groups.values()]
    at = {}
    for one in sorted(found, key=_instance):
        at.setdefault(one.place, []).append(one)
    counts = {len(one) for one in at.values()}
    if len(counts) > 1:  # nothing tells them apart: the reader says so
        return [({}, found)]
    return [({"frame": n}, [one[n] for one in at.values()]) for n in range(counts.pop())]


def _instance(one):
    number = one.tags.get("InstanceNumber")
    return number if isinstance(number, int | float) else 0


def rows(files, about=None, least=2, reasons=(), slides=None):
    """One row per volume of every image series, unlabelled, and per tile of every slide.

    Args:
        files: the view.
        about: (tags) -> further fields of the row, e.g. label and meta of the patient.
        least: series of fewer images are scouts.
        reasons: modality -> why it is no row, beside `SUPPLEMENTS`.
        slides: sub-collection of the tiles; None leaves slides out.
    """
    for members, tags in folders(files):
        with files.row(*members):
            fields = about(tags) if about and "problem" not in tags else {}
            if slides and tags.get("Modality") == "SM":
                fields |= {"config": slides, "modality": "whole-slide image"}
                yield from tiles(members, identity(tags), tags["PatientID"], said(tags), **fields)
                continue
            reason = no_image(tags, reasons)
            if reason is None and len(members) < least:
                reason = f"a series of {len(members)} image{'s' * (len(members) > 1)}: a scout, no volume"
            if reason:
                yield from skipped(members, reason)
                continue
            yield from series_rows(members, tags, **fields)


def tiles(members, name, subject, meta, **fields):
    """Rows of the tiles of a DICOM slide, and its other files.

    Args:
        members: the files of its series.
        name: start of the ids; level and place follow.
        subject: the patient.
        meta: of every tile.
        fields: of every row.
    """
    used = None
    try:
        for tile, place in dicom_slides.tiles(members):
            (used,) = tile.files()
            yield Row(
                id=f"{name}_{place.level}-{place.x}-{place.y}",
                subject=subject,
                image=tile,
                meta=meta | place.meta,
                **({"assessed": ()} | fields),
            )
    except MedimgError as error:
        yield from skipped(members, f"quarantined: {error.problem}")
        return
    reason = "another resolution of the slide, or its label" if used else "a slide without tissue"
    yield from skipped([file for file in members if file != used], reason)


def series_rows(members, tags, modality=None, meta=None, **fields):
    """Rows of one series: one, or one per time point, echo or direction."""
    for apart, part in frames(members):
        yield Row(
            id="_".join([identity(tags), *(f"{key}-{value}" for key, value in apart.items())]),
            subject=tags["PatientID"],
            image=dicom.series(part, allow_gaps=True),
            modality=modality or MODALITIES[tags["Modality"]],
            meta=said(tags) | apart | (meta or {}),
            **({"assessed": ()} | fields),
        )


def segmented(seg, image, bits):
    """A DICOM SEG as a label map whose values are sets of bits, since segments overlap.

    Args:
        seg: the file.
        image: the series.
        bits: SegmentLabel -> a power of two. Segment numbers mean nothing: they differ between files.
    """
    numbers = {}
    for number, one in dicom_seg.segments(seg).items():
        if one.label not in bits:
            raise LabelError(f"segment {number} is called {one.label!r}, which is not mapped", file=seg.path)
        numbers[number] = bits[one.label]
    met = [some for size in range(2, len(numbers) + 1) for some in combinations(numbers, size)]
    codes = {some: 1000 + n for n, some in enumerate(met)}
    values = {code: reduce(or_, (numbers[one] for one in some)) for some, code in codes.items()}
    return volumes.mask(dicom_seg.segmentation(seg, image, overlaps=codes), numbers | values)


def legend(names):
    """Every set of some bits -> the names of its bits. `names`: bit -> names."""
    met = [some for size in range(1, len(names) + 1) for some in combinations(sorted(names), size)]
    return {sum(some): tuple(dict.fromkeys(name for bit in some for name in names[bit])) for some in met}


def alike(image, other):
    """Whether two series lie on one grid; one that makes no volume lies on none."""
    try:
        return grids.grid_of(image).differs(grids.grid_of(other)) is None
    except MedimgError:
        return False


def values(structures):
    """Value -> names, counted from 1, of structures in the order in which `contoured` takes them."""
    return dict(enumerate(structures.values(), 1))


def contoured(objects, image, structures):
    """What a structure set draws on a series.

    Args:
        objects: the RTSTRUCT that refer to it.
        image: the series.
        structures: start of the ROIName as a pattern (lower case, "-" for "_" and space) -> canonical names;
            the first that matches counts.

    Returns:
        (fields of a label, None) or (None, why there are none). The legend has every combination that
        occurs. A structure without contours was not drawn: it is not assessed.
    """
    if len(objects) != 1:
        return None, "several RTSTRUCT refer to it" if objects else "its RTSTRUCT is not in this copy"
    try:
        return _contours(objects[0], image, structures), None
    except MedimgError as error:
        return None, f"quarantined: {error.problem}"


def _value(name, structures):
    plain = re.sub(r"[-_\s]+", "-", name.strip().lower())
    return next((n for n, pattern in enumerate(structures, 1) if re.match(pattern, plain)), None)


def _contours(file, image, structures):
    found, names = rtstruct.rois(file), values(structures)
    mapped = {one.number: value for one in found if one.closed and (value := _value(one.name, structures))}
    source = {
        "RTSTRUCT": file.path,
        "ROIs": [{"ROINumber": one.number, "ROIName": one.name, "contours": one.closed} for one in found],
    }
    if not mapped:
        return {"assessed": (), "source": source}
    drawing = drawn.drawing(image, [file], lambda part: mapped.get(part.number), above=max(names))
    if file in drawing.failed:
        raise FormatError(drawing.failed[file], file=file.path)
    if not drawing.meanings:
        raise FormatError("no contour holds a voxel of the series", file=file.path)
    # A structure none of whose contours is on a slice of this copy is neither there nor absent.
    lost = {drawing.parts[part] for part in drawing.vanished} if drawing.vanished else set()
    known = sorted({*mapped.values()} - lost)
    assessed = tuple(dict.fromkeys(name for value in known for name in names[value]))
    return {"mask": drawing.mask, "legend": drawing.legend(names), "assessed": assessed, "source": source}
