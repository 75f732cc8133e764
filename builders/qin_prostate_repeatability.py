"""QIN-PROSTATE-Repeatability: multiparametric prostate MRI of 15 men, each scanned twice within two weeks.

The prostate, its peripheral zone, the suspected lesion and normal tissue were outlined on T2-weighted images,
ADC maps and subtracted contrast-enhanced images of both visits.
"""

from functools import partial
from itertools import chain

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation
from medimg.readers import dicom_seg
from medimg.schema import skipped

SEGMENTS = {
    "Normal": "normal prostate tissue",
    "Peripheral zone of the prostate": "peripheral zone of prostate",
    "Lesion": "prostate lesion",
    "Prostate": "prostate",
}
BITS = {label: 1 << n for n, label in enumerate(SEGMENTS)}

DATASET = _tcia.declared(
    "qin-prostate-repeatability",
    title="QIN-PROSTATE-Repeatability",
    aliases=("QIN PROSTATE", "QIN-PROSTATE"),
    modality="MRI",
    organ="prostate",
    task=("segmentation", "repeatability"),
    license="CC-BY-4.0",
    citation=Citation(
        title="An annotated test-retest collection of prostate multiparametric MRI",
        authors="Fedorov A, Schwier M, Clunie D, et al.",
        venue="Scientific Data 5:180281",
        year=2018,
        doi="10.1038/sdata.2018.281",
    ),
    legend=_tcia.legend({BITS[label]: (name,) for label, name in SEGMENTS.items()}),
    labels=SEGMENTS,
    splits={"train": 150},
    subject="PatientID of the DICOM header (PCAMPMRI-00001 …); both visits belong to one man",
    keys="SeriesInstanceUID; SEG; segments",
    layout_evidence="idc-index-data 25.0.5, collection qin_prostate_repeatability; "
    "openmedlab/Awesome-Medical-Dataset:resources/QIN-PROSTATE-Repeatability.md@81da0eee",
    labels_evidence="constantinpape/torch-em:torch_em/data/datasets/medical/qin_prostate.py@42ae0ff7",
    license_evidence="constantinpape/torch-em:torch_em/data/datasets/medical/qin_prostate.py@42ae0ff7 and "
    "idc-index-data 25.0.5 (CC BY 4.0)",
    notes=(
        "Structures overlap: a mask value is a set of bits (1 normal tissue, 2 peripheral zone, 4 lesion, 8 "
        "prostate), and the legend names every combination.",
        "Outlined are T2, ADC and subtraction images; other series, and structures that a file does not have, "
        "are not assessed.",
        "Diffusion series hold one volume per b-value, which are rows of their own.",
    ),
)


def labeled(scan, segs):
    if not segs:
        return _tcia.series_rows(scan)
    seg, *more = segs
    found = [segment.label for segment in dicom_seg.segments(seg).values()]
    rows = _tcia.series_rows(
        scan,
        mask=_tcia.segmented(seg, scan.image, BITS),
        legend=_tcia.legend({BITS[one]: DATASET.labels[one] for one in found}),
        assessed=None,
        source={"SEG": seg.path, "segments": found},
    )
    return chain(skipped(more, "a second segmentation of the same series"), rows)


rows = partial(_tcia.drawn_on, kind="SEG", rows=labeled, modalities=("MR",))


def miniature(make):
    patient = "PCAMPMRI-00001"
    root = f"manifest-1528997325000/QIN-PROSTATE-Repeatability/{patient}"
    area = {"Prostate": [(1, 2, 9), (2, 2, 9)], "Peripheral zone of the prostate": [(1, 2, 5)]}
    area |= {"Normal": [(1, 3, 4)]}
    for visit, study in enumerate(("06-20-1994-NA-PROBD Pelvis w-01133", "07-02-1994-NA-PROBD Pelvis w-02244")):
        tags = {"StudyInstanceUID": f"2.25.{visit + 1}"}
        name = "T2 Weighted Axial"
        make_series = {"modality": "MR", "patient": patient, "names": "1-{:02d}.dcm", "intercept": 0}
        t2 = make.dicom_series(f"{root}/{study}/6.000000-{name}-23000", 4, tags=tags, **make_series)
        # Two volumes in one series, told apart by their b-value.
        values = [{"DiffusionBValue": 0.0}, {"DiffusionBValue": 1400.0}]
        _tcia_phantom.dynamic(make, f"{root}/{study}/9.000000-DWI-53{visit}11", values, patient, **tags)
        # Numbers of segments differ from file to file, and one file has a lesion.
        drawn = area if visit else {"Lesion": [(1, 6, 8)], **dict(reversed(area.items()))}
        path = f"{root}/{study}/1006.000000-{name} Segmentations-7.172/1-1.dcm"
        _tcia_phantom.segmentation(make, path, t2, drawn, patient)
        # The ADC map has another grid and a segmentation of its own.
        place = {"spacing": (0.7, 0.7, 3.0), "origin": (-50.0, -60.0, -64.0)}
        adc = make.dicom_series(f"{root}/{study}/10.000000-ADC-6{visit}", 3, tags=tags, **make_series, **place)
        path = f"{root}/{study}/1010.000000-ADC Segmentations-7.2{visit}/1-1.dcm"
        _tcia_phantom.segmentation(make, path, adc, {"Prostate": [(1, 3, 8)]}, patient)
        path = f"{root}/{study}/2006.000000-{name} Measurements-8.1/1-1.dcm"
        _tcia_phantom.report(make, path, t2, patient)
