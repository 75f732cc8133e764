"""LIDC-IDRI: 1,018 chest CT scans of 1,010 patients in which four radiologists each marked the lung nodules.

Every reader outlined nodules of 3 mm and more on all slices and rated them (malignancy, texture and more),
and marked smaller nodules and non-nodules with one point. The readings of all four are kept apart.
"""

from medimg.builders import _lidc, _tcia
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Part, Source
from medimg.errors import MedimgError
from medimg.readers import dicom, tables
from medimg.schema import Row

HOME = "https://www.cancerimagingarchive.net/collection/lidc-idri/"
XML = "https://www.cancerimagingarchive.net/wp-content/uploads/LIDC-XML-only.zip"

READERS = {readers: ("lung nodule",) for readers in (1, 2, 3, 4)}
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
        Source(url="idc://lidc_idri?modality=ct&drawings=none", path="LIDC-IDRI"),
        Source(url=XML, sha256="644557a3aa305602609c718b0cae33a93be762e8901a80bcd9df735b0ec6ab90"),
    ),
    legend=READERS,
    parts=(Part(legend=READERS, names=_lidc.NODULES),),
    splits={"train": 1018},
    subject="PatientID of the DICOM header (LIDC-IDRI-0001 …); eight patients have two scans",
    overlaps=(
        Overlap(
            dataset="luna16", relation="superset of", evidence="https://luna16.grand-challenge.org/Data/"
        ),
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
            yield from _lidc.sort(found, readings)
    for folder, members in series.items():
        yield from _lidc.sort(texts.get(folder, ()), readings)
        _, tags = _tcia.headed(members)
        if "problem" in tags:
            yield from _tcia.skipped(members, f"quarantined: {tags['problem']}")
            continue
        patient, uid = tags["PatientID"], tags["SeriesInstanceUID"]
        if uid not in readings and _lidc.other(tags.get("Modality")) is None:
            files.tell(members[0], "no reading of it is in this copy: its nodules are not known")
        image = dicom.series(members, modality="CT", allow_gaps=True)
        yield from _lidc.corrected(readings.get(uid, []))
        reason, label = _lidc.other(tags.get("Modality")), {}
        try:
            label = {} if reason else _lidc.label(readings.get(uid), image)
        except MedimgError as error:
            reason = f"quarantined: {error}"
        if reason:
            yield from _tcia.skipped(members, reason)
            continue
        about = {name: people[patient] for name, people in known.items() if patient in people}
        meta = {"SeriesInstanceUID": uid} | about
        yield Row(id=f"{patient}_{uid}", subject=patient, image=image, meta=meta, **label)


def miniature(make):
    _lidc.miniature(make)
