"""Collections of The Cancer Imaging Archive as its downloaders write them: one folder of DICOM per series.

`<collection>/<PatientID>/<study>/<series>/*.dcm`, where study and series are called by date and description or
by UID. Names tell nothing that headers do not: all is read from the headers.

What a collection declares (`declared`, `values`, `legend`), how its series are found (`folders`, `patients`), then
rows: of collections without drawings (`rows`), and of those that have some (`drawn_on`, `segmented`, `contoured`).
"""

import re
from functools import reduce
from itertools import combinations, groupby
from operator import or_
from typing import NamedTuple

from medimg.declaration import Dataset, Evidence, Source
from medimg.errors import FormatError, LabelError, MedimgError
from medimg.readers import dicom, dicom_seg, dicom_slides, dicom_stacks, drawn, grids, rtstruct, volumes
from medimg.schema import Row, Skipped, skipped

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
COMMONS = (
    "4d-lung acrin-flt-breast lidc-idri lung-pet-ct-dx nsclc-radiomics qin-breast qin-lung-ct "
    "qin-prostate-repeatability rider-breast-mri tcga-lihc"
).split()
"""Collections that are in the Imaging Data Commons, too (idc-index-data 25.0.5)."""
SAID = "SeriesInstanceUID StudyInstanceUID SeriesNumber".split()


def collection(slug):
    """The collection's id in the Imaging Data Commons."""
    return slug.replace("-", "_")


def declared(slug, license, *, labels_evidence, layout_evidence=None, license_evidence=None, **declaration):
    """The declaration of a collection; those that are in the Imaging Data Commons are streamed from its buckets.

    Where nothing else is said its layout and patients were read in the index of the Commons, its license on its page.
    """
    home = f"https://www.cancerimagingarchive.net/collection/{slug}/"
    commons = (Source(url=f"idc://{collection(slug)}"),) if slug in COMMONS else ()
    index = f"idc-index-data 25.0.5, collection {collection(slug)}"
    terms, _, version = license.removeprefix("CC-").rpartition("-")
    return Dataset(
        name=slug,
        dimension="3d",
        license=license,
        sources=(*commons, Source(url=home, kind="page")),
        evidence=Evidence(
            layout=layout_evidence or index,
            labels=labels_evidence,
            license=license_evidence or f"the collection's page (CC {terms} {version})",
            subject=index,
        ),
        bad_files="quarantine",
        **declaration,
    )


def values(structures):
    """Value -> names, counted from 1, of structures in the order in which `contoured` takes them."""
    return dict(enumerate(structures.values(), 1))


def legend(names):
    """Every set of some bits -> the names of its bits. `names`: bit -> names."""
    met = [some for size in range(1, len(names) + 1) for some in combinations(sorted(names), size)]
    return {sum(some): tuple(dict.fromkeys(name for bit in some for name in names[bit])) for some in met}


class Scan(NamedTuple):
    """One series.

    Attributes:
        files: of its folder.
        tags: of the first; where it cannot be read, its problem is the only one.
    """

    files: list
    tags: dict

    @property
    def patient(self):
        return self.tags["PatientID"]

    @property
    def uid(self):
        return self.tags["SeriesInstanceUID"]

    @property
    def id(self):
        """Of the row."""
        return f"{self.patient}_{self.uid}"

    @property
    def image(self):
        return dicom.series(self.files, allow_gaps=True)

    @property
    def meta(self):
        return said(self.tags)

    def skip(self, reason):
        return skipped(self.files, reason)


def said(tags):
    """What a header says of a series, for `meta`; the reader tells the technical tags."""
    return {key: tags[key] for key in SAID if key in tags}


def folders(files, pattern=r"\.dcm$"):
    """The series of every folder."""
    return map(headed, files.folders(pattern))


def headed(members):
    """Files of a folder as a `Scan`."""
    try:
        _, tags = next(dicom.headers(members[:1]))
    except MedimgError as error:
        return Scan(members, {"problem": error.problem})
    lacking = [key for key in ("PatientID", "SeriesInstanceUID") if key not in tags]
    return Scan(members, {"problem": f"states no {lacking[0]}"} if lacking else tags)


def patients(files, pattern=r"\.dcm$"):
    """Folders of one patient after the other: what lies two folders deeper than another folder is a patient's."""
    loose = []
    for patient, members in groupby(files.folders(pattern), lambda one: "/".join(one[0].path.split("/")[:-3])):
        if patient:
            yield list(members)
        else:
            loose += members
    if loose:
        yield loose


def no_image(tags, reasons=()):
    """Why a series is no volume, None where it may be one."""
    if "problem" in tags:
        return f"quarantined: {tags['problem']}"
    modality = tags.get("Modality", "?")
    if modality not in MODALITIES:
        return dict(reasons).get(modality) or SUPPLEMENTS.get(modality, f"{modality}, no modality of this set")
    if str(tags.get("SOPClassUID", "")).startswith("1.2.840.10008.5.1.4.1.1.7"):
        return "a secondary capture: a picture of a screen"
    if "LOCALIZER" in str(tags.get("ImageType", "")).upper():
        return "a localizer"
    return None


def rows(files, about=None, least=2, reasons=(), slides=None):
    """One row per volume of every image series, unlabelled, and per tile of every slide.

    Args:
        files: the view.
        about: (tags) -> further fields of the row, e.g. label and meta of the patient.
        least: series of fewer images are scouts.
        reasons: modality -> why it is no row, beside `SUPPLEMENTS`.
        slides: sub-collection of the tiles; None leaves slides out.
    """
    for scan in folders(files):
        with files.row(*scan.files):
            fields = about(scan.tags) if about and "problem" not in scan.tags else {}
            if slides and scan.tags.get("Modality") == "SM":
                fields |= {"config": slides, "modality": "whole-slide image"}
                yield from tiles(scan.files, scan.id, scan.patient, scan.meta, **fields)
                continue
            reason = no_image(scan.tags, reasons)
            if reason is None and (count := len(scan.files)) < least:
                reason = f"a series of {count} image{'s' * (count > 1)}: a scout, no volume"
            yield from scan.skip(reason) if reason else series_rows(scan, **fields)


def series_rows(scan, meta=None, assessed=(), **fields):
    """Rows of one series: one, or one per time point, echo or direction."""
    for stack in dicom_stacks.stacks(scan.files):
        yield Row(
            id=stack.name(scan.id),
            subject=scan.patient,
            image=dicom.series(stack.files, allow_gaps=True),
            modality=MODALITIES[scan.tags["Modality"]],
            assessed=assessed,
            meta=scan.meta | stack.apart | (meta or {}),
            **fields,
        )


def tiles(members, name, subject, meta, assessed=(), **fields):
    """Rows of the tiles of a DICOM slide, and its other files.

    Args:
        members: the files of its series.
        name: start of the ids; level and place follow.
        subject: the patient.
        meta: of every tile.
        assessed, fields: of every row.
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
                assessed=assessed,
                **fields,
            )
    except MedimgError as error:
        yield from skipped(members, f"quarantined: {error.problem}")
        return
    reason = "another resolution of the slide, or its label" if used else "a slide without tissue"
    yield from skipped([file for file in members if file != used], reason)


def drawn_on(files, kind, rows, modalities=("CT",), reasons=()):
    """Rows of series with the objects that refer to them, one patient after the other, and what is none.

    Args:
        files: the view.
        kind: modality of the objects, SEG or RTSTRUCT.
        rows: (scan, its objects) -> rows. One bad series is no more than that.
        modalities: of the images.
        reasons: as of `rows`.
    """
    for patient in patients(files):
        scans, objects = [], {}
        for scan in map(headed, patient):
            if scan.tags.get("Modality") == kind:
                yield from _referring(scan.files, kind, objects)
            elif reason := no_image(scan.tags, reasons):
                yield from scan.skip(reason)
            elif scan.tags["Modality"] not in modalities:
                yield from scan.skip(f"{scan.tags['Modality']}, no modality of this set")
            else:
                scans.append(scan)
        for scan in scans:
            mine = objects.pop(scan.uid, [])
            with files.row(*scan.files, *mine):
                yield from rows(scan, mine)
        for others in objects.values():
            yield from skipped(others, "drawn on a series that is not in this copy")


def _referring(members, kind, objects):
    """Put objects to the SeriesInstanceUID that they refer to; one that cannot be read is none."""
    for file in members:
        try:
            _ = dicom_seg.check(file) if kind == "SEG" else rtstruct.rois(file)
            for uid in rtstruct.references(file) or ("",):
                objects.setdefault(uid, []).append(file)
        except MedimgError as error:
            yield Skipped(file=file, reason=f"quarantined: {error.problem}")


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


def alike(image, other):
    """Whether two series lie on one grid; one that makes no volume lies on none."""
    try:
        return grids.grid_of(image).differs(grids.grid_of(other)) is None
    except MedimgError:
        return False


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
    drawing = drawn.Drawing(image, (file,), lambda part: mapped.get(part.number), above=max(names))
    if file in drawing.failed:
        raise FormatError(drawing.failed[file], file=file.path)
    if not drawing.meanings:
        raise FormatError("no contour holds a voxel of the series", file=file.path)
    # A structure none of whose contours is on a slice of this copy is neither there nor absent.
    lost = {drawing.parts[part] for part in drawing.vanished} if drawing.vanished else set()
    known = sorted({*mapped.values()} - lost)
    assessed = tuple(dict.fromkeys(name for value in known for name in names[value]))
    return {"mask": drawing.mask, "legend": drawing.legend(names), "assessed": assessed, "source": source}
