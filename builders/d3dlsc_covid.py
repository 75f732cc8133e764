"""3DLSC-COVID: chest CT of patients with COVID-19 and with community-acquired pneumonia, with outlined lesions.

The public part of the data of DeepSC-COVID, which learns to outline lesions and to tell the cause at once.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.readers import nifti, votes
from medimg.schema import Row

HOME = "https://github.com/XiaofeiWang2018/DeepSC-COVID"
PORT = "https://dx.doi.org/10.21227/mxb3-7j48"

DATASET = Dataset(
    name="3dlsc-covid",
    title="3DLSC-COVID",
    aliases=("3DLSC COVID", "DeepSC-COVID", "DeepSC-COVID data"),
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
        layout="unverified: the folders of the official download. Read: public converters that pair "
        "imagesTr/*.nii.gz with labelsTr/*.nii, as they may have arranged it themselves",
        labels="https://pmc.ncbi.nlm.nih.gov/articles/PMC8544955 (1,805 CT with fine-grained lesion annotations "
        "for lesion segmentation); whatever is not 0 is lesion here, the values themselves were not read",
        license="XiaofeiWang2018/DeepSC-COVID:README.md@904417d (states none); the page at IEEE DataPort was not read",
        subject="unverified",
    ),
    notes=(
        "The paper counts 1,805 volumes (794 COVID-19, 540 community-acquired pneumonia, 471 healthy); one "
        "user reports 100 and 32 in the public part, without healthy ones.",
        "Which volume has which disease is not told by the layout that was seen, so rows carry no class.",
    ),
    bad_files="quarantine",
)


def row(case):
    lesions = votes.count([nifti.volume(case.mask)])
    return Row(id=case.name, subject=case.name, image=case.image, mask=lesions)


# Images end in .nii.gz and masks in .nii.
rows = Join(
    r"images(?:Tr)?/(?P<name>[^/]+?)\.nii(?:\.gz)?$",
    row,
    mask=Partner(
        r"labels(?:Tr)?/(?P<name>[^/]+?)\.nii(?:\.gz)?$",
        skip="a volume whose mask is not in this copy",
        orphan="a mask whose volume is not in this copy",
    ),
)


def miniature(make):
    # Two sizes: a mask of another case would not fit.
    for case, shape in (("covid_001", (14, 12, 6)), ("cap_001", (12, 14, 5))):
        make.nifti(f"3DLSC-COVID/imagesTr/{case}.nii.gz", shape)
        make.nifti(f"3DLSC-COVID/labelsTr/{case}.nii", shape, labels=(1,))
