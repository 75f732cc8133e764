"""BUSI: breast ultrasound of 600 women at Baheya Hospital, Cairo.

Images without finding, with benign and with malignant lesions; the lesions are outlined.
"""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Part, Source
from medimg.join import Join, Partner
from medimg.readers import masks
from medimg.schema import Row

KINDS = {
    "benign": ("breast tumor", "benign breast lesion"),
    "malignant": ("breast tumor", "malignant breast lesion"),
    "normal": ("normal",),
}
# Masks of normal images are empty.
LEGENDS = {kind: {1: names} for kind, names in KINDS.items()} | {"normal": {1: ("breast tumor",)}}

DATASET = Dataset(
    name="busi",
    title="BUSI, Dataset of breast ultrasound images",
    aliases=("Dataset_BUSI_with_GT", "Breast Ultrasound Images Dataset"),
    dimension="2d",
    modality="ultrasound",
    organ="breast",
    task=("segmentation", "classification"),
    license="LicenseRef-unknown",
    homepage="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
    citation=Citation(
        title="Dataset of breast ultrasound images",
        authors="Al-Dhabyani W, Gomaa M, Khaled H, Fahmy A",
        venue="Data in Brief 28:104863",
        year=2020,
        doi="10.1016/j.dib.2019.104863",
    ),
    sources=(
        Source(
            url="https://scholar.cu.edu.eg/Dataset_BUSI.zip",
            sha256="b2ce09f6063a31a73f628b6a6ee1245187cbaec225e93e563735691d68654de7",
        ),
        Source(url="https://www.kaggle.com/datasets/aryashah2k/breast-ultrasound-images-dataset", kind="page"),
    ),
    labels=KINDS,
    parts=tuple(Part(legend=LEGENDS[kind]) for kind in ("benign", "malignant")),
    splits={"train": 780},
    no_subject="780 images of 600 women, and which are of one woman is not published",
    overlaps=tuple(
        Overlap(dataset=name, relation="source of", evidence="MedMNIST/MedMNIST:medmnist/info.py (BreastMNIST)")
        for name in ("medmnist-v1", "medmnist-v2")
    ),
    keys="masks",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/busi.py@6f71247c; "
        "TongxinWang0405/BMI702_project@922c946 (a copy, 780 images opened)",
        labels="openmedlab/Awesome-Medical-Dataset:resources/BUSI.md@81da0eee; doi:10.1016/j.dib.2019.104863",
        license="none stated on the page of the authors; the CC0 of a copy on Kaggle is not theirs",
        subject="doi:10.1016/j.dib.2019.104863 (600 women, no key)",
    ),
    notes=(
        "There are duplicates, also between benign and malignant, images of the axilla, and drawings in "
        "the pictures: doi:10.1016/j.dib.2023.109247 (letter of Pawłowska and others).",
        "17 images have two or three masks, one per lesion; the mask here is their union.",
        "The server's certificate does not verify with some clients.",
    ),
)


def row(case):
    names = DATASET.labels[case.kind]
    return Row(
        id=f"{case.kind}-{case.number}",
        image=case.image,
        mask=masks.union([(masks.threshold(lesion), 1) for lesion in case.lesions.values()]),
        legend=LEGENDS[case.kind],
        classes=names,
        assessed=DATASET.every_label,
        source=case.kind,
        meta={"masks": len(case.lesions)},
    )


IMAGE = r"(?:^|/)(?P<kind>benign|malignant|normal) \((?P<number>\d+)\)"

rows = Join(
    IMAGE + r"\.png$",
    row,
    lesions=Partner(
        IMAGE + r"_mask(?P<which>_\d+)?\.png$",
        by="which",
        skip="an image whose mask is not in this copy",
    ),
)


def miniature(make):
    # Names have spaces and parentheses; one image has two masks, of one and of three channels; that of a normal one is
    # empty. Images have three channels, most of them gray; one is in two classes.
    size, folder = (50, 42), "Dataset_BUSI_with_GT"
    cases = (
        ("benign", 1, ("_mask",)),
        ("benign", 100, ("_mask", "_mask_1")),
        ("malignant", 1, ("_mask",)),
        ("malignant", 2, ("_mask",)),
        ("normal", 1, ("_mask",)),
    )
    with make.zip("Dataset_BUSI.zip") as inner:
        for kind, number, names in cases:
            path = f"{folder}/{kind}/{kind} ({number})"
            gray = {"labels": (70, 110, 160)} if number == 100 else {}
            seed = "lesion" if kind != "normal" and number != 2 else f"{kind} {number}"
            inner.image(f"{path}.png", size, mode="RGB", seed=seed, **gray)
            for n, name in enumerate(names):
                labels = () if kind == "normal" else (0, 255) if n else (255, 0)
                inner.image(f"{path}{name}.png", size, mode="RGB" if n else "L", labels=labels, nested=not labels)
