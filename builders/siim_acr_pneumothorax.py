"""SIIM-ACR Pneumothorax Segmentation 2019: chest radiographs of ChestX-ray14 with outlined pneumothorax."""

from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Lookup
from medimg.readers import dicom, masks, tables
from medimg.schema import Row

KAGGLE = "https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation"

DATASET = Dataset(
    name="siim-acr-pneumothorax",
    title="SIIM-ACR Pneumothorax Segmentation",
    aliases=("SIIM ACR", "SIIM-ACR"),
    dimension="2d",
    modality="X-ray",
    organ=("lung", "pleura"),
    task=("segmentation", "classification"),
    license="LicenseRef-Kaggle-SIIM-ACR",
    access="registration",
    how=f"Register at Kaggle, accept the rules at {KAGGLE}/rules, download dicom-images-train, "
    "dicom-images-test and train-rle.csv, and pass their folder as source=",
    homepage=KAGGLE,
    citation=Citation(
        title="SIIM-ACR Pneumothorax Segmentation",
        authors="Zawacki A, Wu C, Shih G, et al.",
        venue="Kaggle",
        year=2019,
        url=KAGGLE,
    ),
    sources=(
        Source(url=f"{KAGGLE}/data", kind="page"),
        Source(url="https://academictorrents.com/details/6ef7c6d039e85152c4d0f31d83fa70edc4aba088", kind="page"),
    ),
    legend={1: ("pneumothorax",)},
    splits={"train": 12047, "test": 0},
    no_subject="images carry UIDs of their own, and nobody has published to which patient of ChestX-ray14 they belong",
    overlaps=(
        Overlap(
            dataset="chestx-ray14",
            relation="subset of",
            evidence="Filice et al. 2020, Journal of Digital Imaging 33:490",
        ),
        Overlap(
            dataset="rsna-pneumonia",
            relation="may share images",
            evidence="both are drawn from ChestX-ray14; no list tells which images",
        ),
    ),
    keys="ImageId; EncodedPixels",
    evidence=Evidence(
        layout="mlmed/torchxrayvision:torchxrayvision/datasets.py@f4087a0b (SIIM_Pneumothorax_Dataset)",
        labels="mlmed/torchxrayvision 1.5.7, siim-pneumothorax-train-rle.csv.gz (12,954 rows of 12,047 "
        "images, counted); relative run lengths down the columns",
        license="register of licenses read on provider pages 2026-09-17 (any purpose); re-hosting not read",
        subject="Filice et al. 2020, Journal of Digital Imaging 33:490",
    ),
    notes=(
        "624 images have two to ten outlines, which are united. 9,378 have no pneumothorax: an empty mask.",
        "Images come from ChestX-ray14: a split against it leaks.",
        "PNG copies at Kaggle are not official and are not read.",
    ),
)


def outlines(files):
    """Image -> the table, and its lines, one for each outline."""
    table, found = files.need(r"(?:^|/)(?:train-rle|stage_2_train)\.csv$"), {}
    for line in tables.rows(table):
        if not line["ImageId"].strip():
            raise line.wrong("ImageId", "is blank: the outline belongs to no image")
        found.setdefault(line["ImageId"].strip(), (table, []))[1].append(line)
    return found


def row(case):
    if not case.outlines:
        return Row(
            id=case.uid,
            split="test",
            image=dicom.picture(case.image),
            assessed=(),
            meta={"ImageId": case.uid},
        )
    table, lines = case.outlines
    drawn = tables.run_lengths(lines, "EncodedPixels", nothing="-1")
    stated = [line["EncodedPixels"].strip() for line in lines]
    if len({*stated}) < len(stated):
        case.tell("two lines of the table state the same run lengths for it: they count once")
    _, tags = next(dicom.headers([case.image]))
    shape = (tags["Rows"], tags["Columns"])
    return Row(
        id=case.uid,
        image=dicom.picture(case.image),
        mask=masks.union([(masks.rle(one, shape, relative=True, file=table), 1) for one in drawn or [()]]),
        classes=("pneumothorax",) if drawn else (),
        assessed=("pneumothorax",),
        source={"EncodedPixels": stated},
        meta={"ImageId": case.uid},
    )


rows = Join(
    r"^(?:.*(?P<test>dicom-images-test|stage_2_images)/)?.*?(?P<uid>[^/]+)\.dcm$",
    row,
    stream=True,
    outlines=Lookup(
        outlines,
        key="uid",
        when=lambda case: not case.test,
        skip="train-rle.csv has no row for it",
    ),
)


def miniature(make):
    root = "1.2.276.0.7230010.3.1.{}.8323329.{}.151787519"
    uids = [root.format(4, n) for n in range(4)]
    for number, uid in enumerate(uids):
        folder = f"{root.format(2, number)}/{root.format(3, number)}"
        path = f"dicom-images-{'test' if number == 3 else 'train'}/{folder}/{uid}.dcm"
        tags = {"SOPInstanceUID": uid, "PixelSpacing": [0.168, 0.168], "ViewPosition": "PA"}
        make.dicom(path, (30, 28), modality="CR", patient=uid, dtype="uint8", high=255, tags=tags)
    # The second column's name begins with a blank. Two outlines of one image overlap; offsets are relative.
    drawn = [(uids[0], "30 5 23 6 22 6"), (uids[0], "90 4 24 4"), (uids[1], "-1"), (uids[0], "31 3")]
    make.csv("train-rle.csv", ["ImageId", " EncodedPixels"], drawn)
