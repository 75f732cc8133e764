"""3DLSC-COVID: chest CT of patients with COVID-19 and with community-acquired pneumonia, with outlined lesions.

The public part of the data of DeepSC-COVID, which learns to outline lesions and to tell the cause at once.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import nifti, votes
from medimg.schema import Row, Skipped

HOME = "https://github.com/XiaofeiWang2018/DeepSC-COVID"
PORT = "https://dx.doi.org/10.21227/mxb3-7j48"

DATASET = Dataset(
    name="3dlsc-covid",
    title="3DLSC-COVID",
    aliases=("3DLSC COVID", "DeepSC-COVID"),
    dimension="3d",
    modality="CT",
    organ="lung",
    task=("segmentation", "classification"),
    license="LicenseRef-unknown",
    access="registration",
    how=f"Register at IEEE DataPort, download {PORT} and pass the folder that holds imagesTr and labelsTr",
    homepage=HOME,
    citation=Citation(
        title="Joint learning of 3D lesion segmentation and classification for explainable COVID-19 diagnosis",
        authors="Wang X, Jiang L, Li L, Xu M, et al.",
        venue="IEEE Transactions on Medical Imaging 40(9)",
        year=2021,
        doi="10.1109/TMI.2021.3079709",
    ),
    sources=(Source(url=PORT, kind="page"), Source(url=HOME, kind="page")),
    legend={1: ("lung lesion",)},
    splits={"train": 0},
    subject="unverified: one volume per case, which is the file's name",
    evidence=Evidence(
        layout="unverified: the official layout was not seen; four public converters pair imagesTr/*.nii.gz "
        "with labelsTr/*.nii",
        labels="unverified: masks are taken as lesion wherever they are not 0",
        license="not stated in the repository; the page at IEEE DataPort was not read",
        subject="unverified",
    ),
    notes=(
        "The paper counts 1,805 volumes (794 COVID-19, 540 community-acquired pneumonia, 471 healthy); one "
        "user reports 100 and 32 in the public part, without healthy ones.",
        "Which volume has which disease is not told by the layout that was seen, so rows carry no class.",
    ),
    bad_files="quarantine",
)


def rows(files):
    # Images end in .nii.gz and masks in .nii.
    masks = files.index(r"labels(?:Tr)?/([^/]+?)\.nii(?:\.gz)?$")
    for image, case in files.match(r"images(?:Tr)?/([^/]+?)\.nii(?:\.gz)?$"):
        mask = masks.pop(case, None)
        if mask is None:
            yield Skipped(file=image, reason="a volume whose mask is not in this copy")
            continue
        lesions = votes.count([nifti.volume(mask)])
        yield Row(id=case, subject=case, image=image, mask=lesions)
    for mask in masks.values():
        yield Skipped(file=mask, reason="a mask whose volume is not in this copy")


def miniature(make):
    for case in ("covid_001", "cap_001"):
        make.nifti(f"3DLSC-COVID/imagesTr/{case}.nii.gz", (14, 12, 6))
        make.nifti(f"3DLSC-COVID/labelsTr/{case}.nii", (14, 12, 6), labels=(1,), dtype="uint8")
