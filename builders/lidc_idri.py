"""LIDC-IDRI: 1,018 chest CT scans of 1,010 patients in which four radiologists each marked the lung nodules.

Every reader outlined nodules of 3 mm and more on all slices and rated them (malignancy, texture and more), and
marked smaller nodules and non-nodules with one point. The readings of all four are kept apart.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.errors import MedimgError
from medimg.readers import dicom, lidc, tables
from medimg.schema import Box, Point, Row, Skipped

HOME = "https://www.cancerimagingarchive.net/collection/lidc-idri/"
XML = "https://www.cancerimagingarchive.net/wp-content/uploads/LIDC-XML-only.zip"
POINTS = {"nodule": "lung nodule smaller than 3 mm", "non-nodule": "no lung nodule"}

DATASET = Dataset(
    name="lidc-idri",
    title="LIDC-IDRI, Lung Image Database Consortium and Image Database Resource Initiative",
    aliases=("LIDC",),
    dimension="3d",
    modality="CT",
    organ="lung",
    task=("detection", "segmentation", "classification"),
    license="CC-BY-3.0",
    homepage=HOME,
    citation=Citation(
        title="The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a completed "
        "reference database of lung nodules on CT scans",
        authors="Armato SG, McLennan G, Bidaut L, et al.",
        venue="Medical Physics 38(2):915-931",
        year=2011,
        doi="10.1118/1.3528204",
    ),
    sources=(
        Source(url=HOME, kind="page"),
        Source(url=XML, sha256="644557a3aa305602609c718b0cae33a93be762e8901a80bcd9df735b0ec6ab90"),
    ),
    legend={readers: ("lung nodule",) for readers in (1, 2, 3, 4)},
    splits={"train": 1018},
    subject="PatientID of the DICOM header (LIDC-IDRI-0001 …); eight patients have two scans",
    overlaps=(
        Overlap(dataset="luna16", relation="superset of", evidence="https://luna16.grand-challenge.org/Data/"),
        Overlap(dataset="lung-nodule-malignancy", relation="source of", evidence="unverified"),
        Overlap(
            dataset="medmnist-v2",
            relation="source of NoduleMNIST3D",
            evidence="MedMNIST/MedMNIST:medmnist/info.py@805b7423",
        ),
        Overlap(dataset="qin-lung-ct", relation="ten patients in common", evidence="unverified"),
    ),
    evidence=Evidence(
        layout="drivendataorg/concept-to-clinic:tests/assets@17f399f3 (folders of TCIA); "
        "Ashbringer941105/Matlab:tcia-lidc-xml@32d2d29c (the tree of LIDC-XML-only.zip)",
        labels="constantinpape/torch-em:torch_em/data/datasets/medical/lidc_idri.py@96635280; TCIA's page (contour "
        "pixels are not part of the nodule)",
        license=f"{HOME} (CC BY 3.0)",
        subject="idc-index-data 25.0.5, collection lidc_idri",
    ),
    notes=(
        "The mask counts readers: value n is where n of them include the voxel in a nodule. Boxes are one per reader and "
        "nodule, in the order of `label.source`, whose `boxes` tell reader and noduleID.",
        "A reader's place in the file does not identify a person, and nodules are not linked between readers.",
        "Nodules under 3 mm and non-nodules are `points`; they are background in the mask.",
        "The 290 CR and DX series of the collection have no outlines and are left out.",
        "Take the XML for the annotations: TCIA's DICOM SEG of this collection are wrong in at least twelve cases "
        "(QIICR/lidc2dicom issue 9).",
    ),
    bad_files="quarantine",
)


def rows(files):
    books = (files.find(r"tcia-diagnosis-data.*\.xlsx?$"), files.find(r"nodule counts.*\.xlsx?$"))
    known = {book.name: {next(iter(row.values())): row for row in tables.rows(book)} for book in books if book}
    series, texts = {}, {}
    for file, kind in files.match(r"\.(dcm|xml)$"):
        (texts if kind == "xml" else series).setdefault(file.parent, []).append(file)
    if not texts:
        files.need(r"\.xml$", next_step=f"put {XML} beside the images")
    readings = {}
    for folder in texts.keys() - series.keys():
        yield from _file_away(texts[folder], readings)
    for folder, members in series.items():
        yield from _file_away(texts.get(folder, ()), readings)
        _, tags = next(dicom.headers(members[:1]))
        patient, uid = tags["PatientID"], tags["SeriesInstanceUID"]
        reason = None if tags["Modality"] == "CT" else f"a {tags['Modality']} series, which has no outlines"
        image, found = dicom.series(members, modality="CT", allow_gaps=True), None
        try:
            if not reason and uid in readings:
                found = lidc.annotate(readings[uid], image)
                boxes, points, source = found.boxes, found.points, found.source
        except MedimgError as error:
            reason = f"quarantined: {error}"
        if reason:
            yield from (Skipped(file=file, reason=reason) for file in members)
            continue
        about = {name: people[patient] for name, people in known.items() if patient in people}
        row = {"id": f"{patient}_{uid}", "subject": patient, "image": image, "assessed": ()}
        if found:
            row |= {
                "mask": found.mask,
                "assessed": ("lung nodule", *POINTS.values()),
                "boxes": [Box(name="lung nodule", box=one.box) for one in boxes],
                "points": [Point(name=POINTS[one.kind], point=one.point) for one in points],
                "source": {
                    **source,
                    "boxes": [{"reader": one.reader, "noduleID": one.nodule} for one in boxes],
                    "points": [{"reader": one.reader, "noduleID": one.nodule} for one in points],
                },
            }
        yield Row(**row, meta={"PatientID": patient, "SeriesInstanceUID": uid} | about)


def _file_away(texts, readings):
    """Put the readings of CT below their series; those of radiographs are left out."""
    for text in texts:
        reading = lidc.read(text)
        if reading.kind == "CT":
            readings.setdefault(reading.series_uid, []).append(text)
        else:
            yield Skipped(file=text, reason="a reading of a chest radiograph, which has no outlines")


def miniature(make):
    first, second = "LIDC-IDRI/LIDC-IDRI-0001/01-01-2000-30178", "LIDC-IDRI/LIDC-IDRI-0002/01-01-2000-98329"
    ct = make.dicom_series(f"{first}/3000566-03192", 4, patient="LIDC-IDRI-0001")
    other = make.dicom_series(f"{second}/3000522-04919", 3, patient="LIDC-IDRI-0002", names="1-{:03d}.dcm")
    make.dicom_series(f"{second}/3000523-07132", 2, patient="LIDC-IDRI-0002", series="no reading of it here")
    make.dicom(f"{first}/3000567-11111/000001.dcm", modality="DX", patient="LIDC-IDRI-0001")

    def outline(low, high, slices, include="TRUE"):
        edge = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>"
                       for x, y in ((low, low), (high, low), (high, high), (low, high)))
        return "".join(f"<roi><imageZposition>{one['z']:.6f} </imageZposition><imageSOP_UID>{one['SOPInstanceUID']}"
                       f"</imageSOP_UID><inclusion>{include}</inclusion>{edge}</roi>" for one in slices)

    def nodule(name, rois, rated="<characteristics><malignancy>4</malignancy></characteristics>"):
        return f"<unblindedReadNodule><noduleID>{name}</noduleID>{rated}{rois}</unblindedReadNodule>"

    def message(series, *readers, kind="LidcReadMessage", session="readingSession", tag="SeriesInstanceUid"):
        text = "".join(f"<{session}><servicingRadiologistID>anon</servicingRadiologistID>{one}</{session}>" for one in readers)
        return f'<{kind} xmlns="http://www.nih.gov"><ResponseHeader><{tag}>{series}</{tag}></ResponseHeader>{text}</{kind}>'

    uid = ct[0]["SeriesInstanceUID"]
    point = outline(11, 11, ct[:1]).replace("<edgeMap><xCoord>11</xCoord><yCoord>11</yCoord></edgeMap>", "", 3)
    missing = [{"z": 500, "SOPInstanceUID": "2.25.7"}]
    make.text(f"{first}/3000566-03192/069.xml", message(
        uid,
        nodule("Nodule 001", outline(2, 9, ct[1:3]) + outline(4, 7, ct[1:2], "FALSE")) + nodule("7", point, ""),
        nodule("IL057_1", outline(3, 9, [*ct[1:3], *missing])),
        f"<nonNodule><nonNoduleID>9</nonNoduleID><imageZposition>{ct[3]['z']}</imageZposition><imageSOP_UID>"
        f"{ct[3]['SOPInstanceUID']}</imageSOP_UID><locus><xCoord>5</xCoord><yCoord>6</yCoord></locus></nonNodule>",
        "",
    ))
    cxr = message(uid, kind="IdriReadMessage", session="CXRreadingSession", tag="CTSeriesInstanceUid")
    # The same reading twice, with SOPInstanceUIDs that no image has: the slices follow from z.
    lost = [{**one, "SOPInstanceUID": f"2.25.{n}"} for n, one in enumerate(other)]
    with make.zip("LIDC-XML-only.zip") as inner:
        inner.text("tcia-lidc-xml/185/068.xml", cxr)
        for name in ("157/158", "157/159"):
            inner.text(f"tcia-lidc-xml/{name}.xml", message(other[0]["SeriesInstanceUID"], nodule("0", outline(3, 8, lost[1:]))))
