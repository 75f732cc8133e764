"""LIDC-IDRI: 1,018 chest CT scans of 1,010 patients in which four radiologists each marked the lung nodules.

Every reader outlined nodules of 3 mm and more on all slices and rated them (malignancy, texture and more),
and marked smaller nodules and non-nodules with one point. The readings of all four are kept apart.
"""

from medimg.builders import _lidc
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.errors import MedimgError
from medimg.readers import dicom, tables
from medimg.schema import Row, Skipped

HOME = "https://www.cancerimagingarchive.net/collection/lidc-idri/"
XML = "https://www.cancerimagingarchive.net/wp-content/uploads/LIDC-XML-only.zip"

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
        title="The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI): a "
        "completed reference database of lung nodules on CT scans",
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
        Overlap(
            dataset="luna16", relation="superset of", evidence="https://luna16.grand-challenge.org/Data/"
        ),
        Overlap(dataset="lung-nodule-malignancy", relation="source of", evidence="unverified"),
        Overlap(dataset="medmnist-v2", relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py"),
        Overlap(dataset="qin-lung-ct", relation="ten patients in common", evidence="unverified"),
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
        "cases (QIICR/lidc2dicom issue 9).",
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
            yield from _lidc.sort(found, readings)
    for folder, members in series.items():
        yield from _lidc.sort(texts.get(folder, ()), readings)
        _, tags = next(dicom.headers(members[:1]))
        patient, uid = tags["PatientID"], tags["SeriesInstanceUID"]
        image = dicom.series(members, modality="CT", allow_gaps=True)
        reason = None if tags["Modality"] == "CT" else f"a {tags['Modality']} series, which has no outlines"
        try:
            label = {} if reason else _lidc.label(readings.get(uid), image)
        except MedimgError as error:
            reason = f"quarantined: {error}"
        if reason:
            yield from (Skipped(file=file, reason=reason) for file in members)
            continue
        about = {name: people[patient] for name, people in known.items() if patient in people}
        meta = {"SeriesInstanceUID": uid} | about
        yield Row(id=f"{patient}_{uid}", subject=patient, image=image, meta=meta, **label)


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
    make.text(f"{first}/3000566-03192/069.xml", _lidc.xml(uid, readers))
    # One reading twice, with SOPInstanceUIDs that no image has: the slices follow from z.
    lost = [({**one, "SOPInstanceUID": "2.25.8"}, 3, 8) for one in other[1:]]
    text = _lidc.xml(other[0]["SeriesInstanceUID"], [{"0": lost}])
    with make.zip("LIDC-XML-only.zip") as inner:
        inner.text("tcia-lidc-xml/185/068.xml", _lidc.xml(uid, (), kind="IdriReadMessage"))
        inner.text("tcia-lidc-xml/157/158.xml", text)
        inner.text("tcia-lidc-xml/157/159.xml", text)
