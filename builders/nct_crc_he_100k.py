"""NCT-CRC-HE-100K and CRC-VAL-HE-7K: tiles of colorectal cancer and normal tissue in nine classes.

100,000 tiles of 86 patients and 7,180 of 50 others, 224 x 224 pixels at 0.5 micrometers, stained with
hematoxylin and eosin; with and without normalized colors.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Overlap, Source
from medimg.schema import Row

RECORD = "https://zenodo.org/records/1214456"
NAMES = "MedMNIST/MedMNIST:medmnist/info.py"
FILES = {
    "NCT-CRC-HE-100K": ("6fd702d11df6292bc054397ae038a464", "normalized", "train"),
    "CRC-VAL-HE-7K": ("2fd1651b4f94ebd818ebf90ad2b6ce06", "normalized", "validation"),
    "NCT-CRC-HE-100K-NONORM": ("035777cf327776a71a05c95da6d6325f", "unnormalized", "train"),
}
"""Archive -> md5, config, split."""

DATASET = Dataset(
    name="nct-crc-he-100k",
    title="NCT-CRC-HE-100K and CRC-VAL-HE-7K",
    aliases=("CRC100K", "NCT-CRC-HE", "CRC-VAL-HE-7K"),
    dimension="2d",
    modality="H&E histopathology",
    organ="colon",
    task="classification",
    license="CC-BY-4.0",
    homepage=RECORD,
    citation=Citation(
        title="Predicting survival from colorectal cancer histology slides using deep learning",
        authors="Kather JN, Krisam J, Charoentong P, et al.",
        venue="PLoS Medicine 16(1):e1002730",
        year=2019,
        doi="10.1371/journal.pmed.1002730",
    ),
    sources=tuple(Source(url=f"{RECORD}/files/{name}.zip", md5=md5) for name, (md5, *_) in FILES.items()),
    labels={
        "ADI": "adipose tissue",
        "BACK": "background",
        "DEB": "cell debris",
        "LYM": "lymphocyte",
        "MUC": "mucus",
        "MUS": "smooth muscle",
        "NORM": "normal colon mucosa",
        "STR": "cancer-associated stroma",
        "TUM": "colorectal adenocarcinoma epithelium",
    },
    splits={"train": 100000, "validation": 7180},
    configs=(
        Config(name="normalized", title="Colors normalized"),
        Config(name="unnormalized", title="Colors as scanned", splits={"train": 100000}),
    ),
    no_subject="no patient is named; those of the 7K are others than those of the 100K",
    overlaps=tuple(
        Overlap(dataset=name, relation="source of", evidence=f"{NAMES} (PathMNIST)")
        for name in ("medmnist-v1", "medmnist-v2")
    ),
    evidence=Evidence(
        layout=f"{RECORD} (files with size and md5); huggingface.co/datasets/1aurent/NCT-CRC-HE; "
        "openmedlab/Awesome-Medical-Dataset:resources/NCT-CRC-HE-100K.md@81da0eee",
        labels=f"{RECORD}; {NAMES}",
        license=f"{RECORD} (CC BY 4.0)",
        subject=f"{RECORD} (86 and 50 patients, no overlap)",
    ),
    notes=(
        "The tiles without normalization come from the same raw data as the 100K: do not add the two.",
        "Inside the 100K patients cannot be told apart: only the 7K is a safe test.",
    ),
)


def rows(files):
    for image, archive, code in files.match(
        r"(?:^|/)(NCT-CRC-HE-100K(?:-NONORM)?|CRC-VAL-HE-7K)/(?:.*/)?([A-Z]+)/[A-Z]+-[^/]+\.tif$"
    ):
        _, config, split = FILES[archive]
        yield Row(
            id=image.stem if split == "train" else f"val-{image.stem}",
            config=config,
            split=split,
            image=image,
            spacing=(0.0005, 0.0005),
            classes=DATASET.labels[code],
            assessed=DATASET.every_label,
            source=code,
        )


def miniature(make):
    # Plain and normalized tiles bear the same names.
    for archive in FILES:
        with make.zip(f"{archive}.zip") as inner:
            for n, code in enumerate(DATASET.labels):
                if n < 3 or archive == "NCT-CRC-HE-100K":
                    inner.image(f"{archive}/{code}/{code}-AAAFLCL{code[0]}.tif", (24, 24), mode="RGB")
