"""PDMR-833975-119-R: MRI of 20 mice that carry a human pancreatic adenocarcinoma under the skin.

T2-weighted images follow the growth of a patient-derived xenograft on four dates. These are mice: keep them
out of training sets of human images.
"""

from functools import partial

from medimg.builders import _tcia, _tcia_phantom
from medimg.declaration import Citation

DATASET = _tcia.declared(
    "pdmr-833975-119-r",
    title="PDMR-833975-119-R, mouse xenografts of pancreatic adenocarcinoma",
    aliases=("PDMR", "PDMR"),
    modality="MRI",
    organ=("pancreas", "abdomen"),
    task="longitudinal",
    license="CC-BY-3.0",
    citation=Citation(
        title="Imaging tissue characterization of a patient derived xenograft model of adenocarcinoma pancreas: "
        "PDMR-833975-119-R",
        authors="Tatum JL, Kalen JD, Jacobs PM, et al.",
        venue="The Cancer Imaging Archive",
        year=2020,
        doi="10.7937/TCIA.0ECK-C338",
    ),
    splits={"train": 80},
    subject="PatientID of the DICOM header: one mouse (833975-119-R-1565 … 1584)",
    keys="SeriesInstanceUID; species",
    labels_evidence="none: there are no masks; https://wiki.cancerimagingarchive.net/pages/viewpage.action?pageId="
    "70226465 (mouse, MR and SR)",
    license_evidence="idc-index-data 25.0.5 (CC BY 3.0)",
    notes=(
        "The animals are mice (meta.species).",
        "Of the two series of each study, the one with a single image is left out.",
        "Measurements of the tumor are structured reports in studies of their own, which are not read.",
    ),
)


rows = partial(_tcia.rows, about=lambda tags: {"meta": {"species": "mouse"}})


def miniature(make):
    root = "manifest-1581709000000/PDMR-833975-119-R"
    for mouse in ("833975-119-R-1565", "833975-119-R-1566"):
        study = f"{root}/{mouse}/06-27-2018-NA-TSE45-11111"
        tags = {"SeriesDescription": "TSE45 split", "PatientSpeciesDescription": "Mouse"}
        shape = {"modality": "MR", "patient": mouse, "intercept": 0, "tags": tags}
        slices = make.dicom_series(f"{study}/301.000000-TSE45 split-22222", 4, names="1-{:02d}.dcm", **shape)
        make.dicom_series(f"{study}/302.000000-TSE45 split-33333", 1, names="1-{}.dcm", **shape)
        path = f"{root}/{mouse}/07-30-2018-NA-PDM Mouse Overview-44444/1.0-SR-{mouse[-4:]}/1-1.dcm"
        _tcia_phantom.report(make, path, slices, mouse, StudyInstanceUID=f"2.25.{mouse[-4:]}")
