"""LIDC-IDRI's readings: from XML files to the fields of a label, and phantoms of them for miniatures."""

from medimg.builders import _tcia_phantom
from medimg.errors import MedimgError
from medimg.readers import lidc
from medimg.schema import Box, Point, Skipped

POINTS = {"nodule": "lung nodule smaller than 3 mm", "non-nodule": "no lung nodule"}
NODULES = ("lung nodule", *POINTS.values())
"""Kind of a single point -> canonical name."""
CORRECTED = "resubmitted-correction"
"""In the name of the XML that replaces an earlier one of the series: TCIA, 2012-03-21, LIDC-IDRI-0101."""


def sort(texts, readings):
    """Put XML files of CT into `readings`, by SeriesInstanceUID; readings of radiographs are no rows."""
    for text in texts:
        try:
            reading = lidc.read(text)
        except MedimgError as error:
            yield Skipped(file=text, reason=f"quarantined: {error.problem}")
            continue
        if reading.kind == "CT":
            readings.setdefault(reading.series_uid, []).append(text)
        else:
            yield Skipped(file=text, reason="a reading of a chest radiograph, which has no outlines")


def corrected(texts):
    """Take out of the texts of one series those that TCIA replaced, where the new one is there."""
    kept = [text for text in texts if CORRECTED in text.name] or texts
    yield from (
        Skipped(file=text, reason=f"replaced by {kept[0].name}") for text in texts if text not in kept
    )
    texts[:] = kept


def other(modality):
    """Why a series is no row, None for CT."""
    if modality == "SEG":
        return "a segmentation made from the outlines, wrong in places: those of the XML count"
    return None if modality == "CT" else f"a {modality} series, which has no outlines"


def label(texts, image):
    """The label's fields of a CT series; all assessed, also where nothing was found.

    Args:
        texts: its XML files; none leave everything unknown.
        image: the `dicom.series`.
    """
    if not texts:
        return {"assessed": ()}
    found = lidc.annotate(texts, image)
    boxes, points = found.boxes, found.points
    return {
        "mask": found.mask,
        "assessed": NODULES,
        "boxes": [Box(name="lung nodule", box=one.box) for one in boxes],
        "points": [Point(name=POINTS[one.kind], point=one.point) for one in points],
        "source": {
            **found.source,
            "boxes": [{"reader": one.reader, "noduleID": one.nodule} for one in boxes],
            "points": [{"reader": one.reader, "noduleID": one.nodule} for one in points],
        },
    }


def xml(series, readers, kind="LidcReadMessage"):
    """A phantom reading.

    Args:
        series: SeriesInstanceUID.
        readers: for each reader noduleID -> square outlines (slice, low, high[, "FALSE" to take out]); one
            with low = high is a small nodule, one below the name "non-nodule" is that. Slices have "z" and
            "SOPInstanceUID".
        kind: the root element; IdriReadMessage is of a chest radiograph.
    """
    name = "SeriesInstanceUid" if kind == "LidcReadMessage" else "CXRSeriesInstanceUid"
    sessions = "".join(
        f"<readingSession>{''.join(map(_mark, one.items()))}</readingSession>" for one in readers
    )
    header = f"<ResponseHeader><{name}>{series}</{name}></ResponseHeader>"
    return f'<?xml version="1.0"?>\n<{kind} xmlns="http://www.nih.gov">{header}{sessions}</{kind}>\n'


def _mark(item):
    name, outlines = item
    if name == "non-nodule":
        image, low, _ = outlines[0]
        locus = f"<locus>{_pixel(low, low)}</locus>"
        return f"<nonNodule><nonNoduleID>{name}</nonNoduleID>{_place(image)}{locus}</nonNodule>"
    rated = "<characteristics><malignancy>4</malignancy></characteristics>"
    rois = "".join(_roi(*outline) for outline in outlines)
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{rated}{rois}</unblindedReadNodule>"


def _roi(image, low, high, inclusion="TRUE"):
    there = [(at, low) for at in range(low, high)] + [(high, at) for at in range(low, high)]
    back = [(low + high - x, low + high - y) for x, y in there]
    edge = "".join(f"<edgeMap>{_pixel(*pixel)}</edgeMap>" for pixel in there + back or [(low, low)])
    return f"<roi>{_place(image)}<inclusion>{inclusion}</inclusion>{edge}</roi>"


def _place(image):
    uid = f"<imageSOP_UID>{image['SOPInstanceUID']}</imageSOP_UID>"
    return f"<imageZposition>{image['z']:.6f} </imageZposition>{uid}"


def _pixel(x, y):
    return f"<xCoord>{x}</xCoord><yCoord>{y}</yCoord>"


def miniature(make):
    """What each builder has; see `xml`."""
    first, second = "LIDC-IDRI/LIDC-IDRI-0001/01-01-2000-30178", "LIDC-IDRI/LIDC-IDRI-0002/01-01-2000-98329"
    ct = make.dicom_series(f"{first}/3000566-03192", 4, patient="LIDC-IDRI-0001")
    other = make.dicom_series(f"{second}/3000522-04919", 3, patient="LIDC-IDRI-0002", names="1-{:03d}.dcm")
    make.dicom_series(f"{second}/3000523-07132", 2, patient="LIDC-IDRI-0002", series="nobody read it")
    make.dicom(f"{first}/3000567-11111/000001.dcm", modality="DX", patient="LIDC-IDRI-0001")
    uid, away = ct[0]["SeriesInstanceUID"], {"z": 500, "SOPInstanceUID": "2.25.7"}
    readers = (
        {"Nodule 001": [(ct[1], 2, 9), (ct[2], 2, 9), (ct[1], 4, 7, "FALSE")], "7": [(ct[0], 11, 11)]},
        {"IL057_1": [(ct[1], 3, 9), (ct[2], 3, 9), (away, 3, 9)]},
        {"non-nodule": [(ct[3], 5, 5)]},
        {},
    )
    make.text(f"{first}/3000566-03192/069.xml", xml(uid, readers))
    seg = f"{first}/1000-Segmentation of Nodule 1-1/1-1.dcm"
    _tcia_phantom.segmentation(make, seg, ct, {"Nodule 1": [(1, 0, 12)]}, "LIDC-IDRI-0001")
    wrong = make.dicom_series("LIDC-IDRI/LIDC-IDRI-0101/01-01-2000-1/2-03810", 3, patient="LIDC-IDRI-0101")
    # One reading twice, with SOPInstanceUIDs that no image has: the slices follow from z.
    lost = [({**one, "SOPInstanceUID": "2.25.8"}, 3, 8) for one in other[1:]]
    text = xml(other[0]["SeriesInstanceUID"], [{"0": lost}])
    with make.zip("LIDC-XML-only.zip") as inner:
        inner.text("tcia-lidc-xml/185/068.xml", xml(uid, (), kind="IdriReadMessage"))
        inner.text("tcia-lidc-xml/157/158.xml", text)
        inner.text("tcia-lidc-xml/157/159.xml", text)
        for path, low in (("tcia-lidc-xml/157/161.xml", 2), (f"161-{CORRECTED}-3-9-12.xml", 5)):
            inner.text(path, xml(wrong[0]["SeriesInstanceUID"], [{"1": [(wrong[1], low, 9)]}]))
