"""QIN LUNG CT: CT of 47 patients with non-small cell lung cancer of the Quantitative Imaging Network.

For ten of them three segmentation algorithms outlined the nodule three times each (QIN-LungCT-Seg).
"""

from functools import partial

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation, Overlap
from medimg.readers import dicom_seg, votes
from medimg.schema import Row, Skipped

DATASET = _tcia.declared(
    "qin-lung-ct",
    title="QIN LUNG CT",
    aliases=("TCIA QIN LUNG", "QIN-LungCT-Seg"),
    modality="CT",
    organ="lung",
    task=("segmentation", "radiomics"),
    license="CC-BY-3.0",
    citation=Citation(
        title="Data from QIN LUNG CT",
        authors="Goldgof D, Hall L, Hawkins S, et al.",
        venue="The Cancer Imaging Archive",
        year=2017,
        doi="10.7937/K9/TCIA.2015.NPGZYZBZ",
    ),
    legend={readings: ("lung nodule",) for readings in range(1, 10)},
    splits={"train": 47},
    subject="PatientID of the DICOM header, in three patterns (QIN-LSC-0003, QIN-LUNG-01-0007, R0223)",
    overlaps=(
        Overlap(
            dataset="lidc-idri",
            relation="no common patient: QIN-LungCT-Seg outlines both",
            evidence="huggingface.co/datasets/MedOtter/QIN-LungCT-Seg and /LIDC-IDRI (column in_qin_lungct_seg)",
        ),
    ),
    keys="SeriesInstanceUID; SEG; label",
    layout_evidence="idc-index-data 25.0.5, collection qin_lung_ct; "
    "openmedlab/Awesome-Medical-Dataset:resources/QIN-LungCT-Seg.md@81da0eee",
    labels_evidence="constantinpape/torch-em:torch_em/data/datasets/medical/qin_lungct_seg.py@e38c9cf9 (one "
    "segmentation per SEG, paired by ReferencedSeriesSequence); 10.7937/K9/TCIA.2015.1BUVFJR7",
    notes=(
        "The mask counts segmentations: value n is where n of up to nine (three algorithms, three runs) "
        "include the voxel. `label.source` lists their files.",
        "37 patients have no segmentation: nothing is assessed there. The others are QIN-LSC-0003, 0009, 0014, 0028, "
        "0049, 0055, 0064, 0088 and QIN-LUNG-01-0007, 0013. SEG with more than one segment (made by "
        "programs of others, in the IDC) are left out.",
        "Segmentations stand in studies of their own, later than the CT.",
    ),
)


def labeled(scan, segs):
    image, taken = scan.image, []
    for seg in segs:
        if len(dicom_seg.segments(seg)) == 1:
            taken.append(seg)
        else:
            yield Skipped(file=seg, reason="several segments: not of QIN-LungCT-Seg")
    label = {"assessed": ()}
    if taken:
        drawn = [dicom_seg.segmentation(seg, image) for seg in taken]
        called = [(seg, one.label) for seg in taken for one in dicom_seg.segments(seg).values()]
        source = [{"SEG": seg.path, "label": name} for seg, name in called]
        label = {"mask": votes.count(drawn), "assessed": ("lung nodule",), "source": source}
    yield Row(id=scan.id, subject=scan.patient, image=image, meta=scan.meta, **label)


rows = partial(_tcia.drawn_on, kind="SEG", rows=labeled)


def miniature(make):
    root = "manifest-1542731172463/QIN LUNG CT"
    for patient in ("QIN-LSC-0003", "QIN-LUNG-01-0007", "R0223"):
        folder = f"{root}/{patient}/08-06-2003-1-CT Thorax wContrast-41946/2.000000-THORAX W  3.0  B41 Soft-71225"
        more = {"patient": patient, "names": "1-{:02d}.dcm", "tags": {"StudyDate": "20030806"}}
        # Some files are compressed.
        syntax = {"QIN-LUNG-01-0007": "RLELossless", "R0223": "JPEGLSLossless"}.get(patient)
        ct = (
            _tcia_phantom.compressed(make, folder, 4, syntax, **more)
            if syntax
            else make.dicom_series(folder, 4, **more)
        )
        for run in range(0 if patient == "R0223" else 9):
            path = f"{root}/{patient}/04-01-2015-1-NA-41946/{run}.000000-alg0{run // 3 + 1} run{run % 3 + 1}/1-1.dcm"
            nodule = {"Nodule": [(1, 3, 6 + run % 3), (2, 4, 6)]}
            study = {"StudyInstanceUID": f"2.25.{ord(patient[-1])}", "StudyDate": "20150401"}
            _tcia_phantom.segmentation(make, path, ct, nodule, patient, **study)
        if patient == "QIN-LSC-0003":
            several = {"Lung": [(1, 1, 9)], "Nodule": [(1, 3, 6)]}
            path = f"{root}/{patient}/01-01-2023-1-NA-41946/300.000000-AIMI-00001/1-1.dcm"
            _tcia_phantom.segmentation(make, path, ct, several, patient)
