"""LIDC-IDRI's readings: from XML files to the fields of a label, and phantoms of them for miniatures."""

from medimg.readers import lidc
from medimg.schema import Box, Point, Skipped

POINTS = {"nodule": "lung nodule smaller than 3 mm", "non-nodule": "no lung nodule"}
"""Kind of a single point -> canonical name."""


def sort(texts, readings):
    """Put XML files of CT into `readings`, by SeriesInstanceUID; readings of radiographs are no rows."""
    for text in texts:
        reading = lidc.read(text)
        if reading.kind == "CT":
            readings.setdefault(reading.series_uid, []).append(text)
        else:
            yield Skipped(file=text, reason="a reading of a chest radiograph, which has no outlines")


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
        "assessed": ("lung nodule", *POINTS.values()),
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
    corners = dict.fromkeys(((low, low), (high, low), (high, high), (low, high)))
    edge = "".join(f"<edgeMap>{_pixel(*corner)}</edgeMap>" for corner in corners)
    return f"<roi>{_place(image)}<inclusion>{inclusion}</inclusion>{edge}</roi>"


def _place(image):
    uid = f"<imageSOP_UID>{image['SOPInstanceUID']}</imageSOP_UID>"
    return f"<imageZposition>{image['z']:.6f} </imageZposition>{uid}"


def _pixel(x, y):
    return f"<xCoord>{x}</xCoord><yCoord>{y}</yCoord>"
