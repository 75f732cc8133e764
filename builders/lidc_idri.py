"""LIDC-IDRI: 1,018 chest CT scans of 1,010 patients in which four radiologists each marked the lung nodules.

Every reader outlined nodules of 3 mm and more on all slices and rated them (malignancy, texture and more),
and marked smaller nodules and non-nodules with one point. The readings of all four are kept apart.
"""

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Part, Source
from medimg.errors import MedimgError
from medimg.readers import dicom, lidc, tables
from medimg.schema import Box, Point, Row, Skipped

HOME = "https://www.cancerimagingarchive.net/collection/lidc-idri/"
XML = "https://www.cancerimagingarchive.net/wp-content/uploads/LIDC-XML-only.zip"
READERS = {readers: ("lung nodule",) for readers in (1, 2, 3, 4)}
POINTS = {"nodule": "lung nodule smaller than 3 mm", "non-nodule": "no lung nodule"}
NODULES = ("lung nodule", *POINTS.values())
"""Kind of a single point -> canonical name."""
CORRECTED = "resubmitted-correction"
"""In the name of the XML that replaces an earlier one of the series: TCIA, 2012-03-21, LIDC-IDRI-0101."""

DATASET = Dataset(
    name="lidc-idri",
    title="LIDC-IDRI, Lung Image Database Consortium and Image Database Resource Initiative",
    aliases=("LIDC",),
    dimension="3d",
    modality="CT",
    organ="lung",
    task=("detection", "segmentation", "classification"),
    license="CC-BY-3.0",
    citation=Citation(
        title="The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a "
        "completed reference database of lung nodules on CT scans",
        authors="Armato SG, McLennan G, Bidaut L, et al.",
        venue="Medical Physics 38(2):915-931",
        year=2011,
        doi="10.1118/1.3528204",
    ),
    sources=(
        Source(url=HOME, kind="page"),
        Source(url="idc://lidc_idri?modality=ct&drawings=none", path="LIDC-IDRI"),
        Source(url=XML, sha256="644557a3aa305602609c718b0cae33a93be762e8901a80bcd9df735b0ec6ab90"),
    ),
    legend=READERS,
    parts=(Part(legend=READERS, names=NODULES),),
    splits={"train": 1018},
    subject="PatientID of the DICOM header (LIDC-IDRI-0001 …); eight patients have two scans",
    overlaps=(
        Overlap(dataset="luna16", relation="superset of", evidence="https://luna16.grand-challenge.org/Data/"),
        Overlap(
            dataset="lung-nodule-malignancy",
            relation="source of",
            evidence="by way of LUNA16: https://easymed.ai/datasets/GeorgeSullivan/LungNoduleMalignancy",
        ),
        Overlap(dataset="medmnist-v2", relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py"),
        Overlap(
            dataset="qin-lung-ct",
            relation="no common patient: QIN-LungCT-Seg outlines both",
            evidence="idc-index-data 25.0.5: no PatientID and no SeriesInstanceUID in common",
        ),
    ),
    keys=(
        "tcia-diagnosis-data*; *nodule counts*; TCIA Patient ID; Diagnosis*; Primary tumor site*; Nodule *; "
        "Total Number of Nodules*; Number of Nodules*; "
        "SeriesInstanceUID; readings; file; kind; header; sessions; unblindedReadNodule; noduleID; "
        "characteristics; malignancy; roi; imageZposition; imageSOP_UID; inclusion; edgeMap; "
        "nonNodule; nonNoduleID; locus; boxes; reader; points"
    ),
    evidence=Evidence(
        layout="drivendataorg/concept-to-clinic:tests/assets@17f399f3 (folders of TCIA); "
        "Ashbringer941105/Matlab:tcia-lidc-xml@32d2d29c (the tree of LIDC-XML-only.zip)",
        labels="constantinpape/torch-em:torch_em/data/datasets/medical/lidc_idri.py@96635280; TCIA's page "
        "(contour pixels are not part of the nodule)",
        license=f"{HOME} (CC BY 3.0)",
        subject="idc-index-data 25.0.5, collection lidc_idri",
    ),
    notes=(
        "The mask counts readers: value n is where n of them include the voxel in a nodule. Boxes are one "
        "per reader and nodule, in the order of `label.source`, whose `boxes` tell reader and noduleID.",
        "A reader's place in the file identifies no person, and nodules are not linked between readers.",
        "Nodules under 3 mm and non-nodules are `points`; they are background in the mask.",
        "The 290 CR and DX series of the collection have no outlines and are left out.",
        "These are the outlines of the XML. TCIA's DICOM SEG of this collection are wrong in at least twelve "
        "cases (QIICR/lidc2dicom issue 9) and left out.",
        "LIDC-IDRI-0101 has the corrected reading of 2012 where the copy holds it (file "
        "161-resubmitted-correction-3-9-12.xml). The file of LIDC-IDRI-0566 (188/011.xml) holds eight readings.",
    ),
    bad_files="quarantine",
)


def rows(files):
    books = (files.find(r"tcia-diagnosis-data.*\.xlsx?$"), files.find(r"nodule counts.*\.xlsx?$"))
    known = {one.name: {next(iter(row.values())): row for row in tables.rows(one)} for one in books if one}
    series, texts, readings = {}, {}, {}
    for file, kind in files.match(r"\.(dcm|xml)$"):
        (texts if kind == "xml" else series).setdefault(file.parent, []).append(file)
    if not texts:
        files.need(r"\.xml$", next_step=f"put {XML} beside the images")
    for folder, found in texts.items():
        if folder not in series:
            yield from sort(found, readings)
    for folder, members in series.items():
        yield from sort(texts.get(folder, ()), readings)
        scan = _tcia.headed(members)
        if "problem" in scan.tags:
            yield from scan.skip(f"quarantined: {scan.tags['problem']}")
            continue
        reason, label = no_ct(scan.tags.get("Modality")), {}
        if scan.uid not in readings and reason is None:
            files.tell(members[0], "no reading of it is in this copy: its nodules are not known")
        yield from corrected(readings.get(scan.uid, []))
        image = dicom.series(members, modality="CT", allow_gaps=True)
        try:
            label = {} if reason else annotated(readings.get(scan.uid), image)
        except MedimgError as error:
            reason = f"quarantined: {error}"
        if reason:
            yield from scan.skip(reason)
            continue
        about = {name: people[scan.patient] for name, people in known.items() if scan.patient in people}
        meta = {"SeriesInstanceUID": scan.uid} | about
        yield Row(id=scan.id, subject=scan.patient, image=image, meta=meta, **label)


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
    for text in texts:
        if text not in kept:
            yield Skipped(file=text, reason=f"replaced by {kept[0].name}")
    texts[:] = kept


def no_ct(modality):
    """Why a series is no row, None for CT."""
    if modality == "SEG":
        return "a segmentation made from the outlines, wrong in places: those of the XML count"
    return None if modality == "CT" else f"a {modality} series, which has no outlines"


def annotated(texts, image):
    """The label's fields of a CT series; all assessed, also where nothing was found.

    Args:
        texts: its XML files; none leave everything unknown.
        image: the `dicom.series`.
    """
    if not texts:
        return {"assessed": ()}
    found = lidc.Annotations(tuple(texts), image)
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
    sessions = "".join(f"<readingSession>{''.join(map(mark, one.items()))}</readingSession>" for one in readers)
    header = f"<ResponseHeader><{name}>{series}</{name}></ResponseHeader>"
    return f'<?xml version="1.0"?>\n<{kind} xmlns="http://www.nih.gov">{header}{sessions}</{kind}>\n'


def mark(item):
    name, outlines = item
    if name == "non-nodule":
        image, low, _ = outlines[0]
        locus = f"<locus>{pixel(low, low)}</locus>"
        return f"<nonNodule><nonNoduleID>{name}</nonNoduleID>{place(image)}{locus}</nonNodule>"
    rated = "<characteristics><malignancy>4</malignancy></characteristics>"
    rois = "".join(roi(*outline) for outline in outlines)
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{rated}{rois}</unblindedReadNodule>"


def roi(image, low, high, inclusion="TRUE"):
    there = [(at, low) for at in range(low, high)] + [(high, at) for at in range(low, high)]
    back = [(low + high - x, low + high - y) for x, y in there]
    edge = "".join(f"<edgeMap>{pixel(*at)}</edgeMap>" for at in there + back or [(low, low)])
    return f"<roi>{place(image)}<inclusion>{inclusion}</inclusion>{edge}</roi>"


def place(image):
    uid = f"<imageSOP_UID>{image['SOPInstanceUID']}</imageSOP_UID>"
    return f"<imageZposition>{image['z']:.6f} </imageZposition>{uid}"


def pixel(x, y):
    return f"<xCoord>{x}</xCoord><yCoord>{y}</yCoord>"


def miniature(make):
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
