"""SNOW: synthetic tiles of breast cancer tissue, made by StyleGAN2, with every nucleus outlined by a model.

20,000 tiles of 512 x 512 pixels with 1,448,522 nuclei; no picture is of a patient, and no outline was drawn by hand.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.readers import matlab
from medimg.schema import Row

RECORD = "https://zenodo.org/records/6633721"
README = "Cassie07/SNOW-Dataset:README.md"

DATASET = Dataset(
    name="snow",
    title="SNOW, Synthetic Nuclei and annOtation Wizard",
    aliases=("Synthetic Nuclei and annOtation Wizard", "SNOW_Dataset_20k", "SNOW(合成)"),
    dimension="2d",
    modality="synthetic histopathology",
    organ="breast",
    task=("instance segmentation", "nuclear segmentation"),
    license="CC-BY-4.0",
    citation=Citation(
        title="A large-scale synthetic pathological dataset for deep learning-enabled segmentation of breast cancer",
        authors="Ding K, Zhou M, Wang H, Gevaert O, Metaxas D, Zhang S",
        venue="Scientific Data 10:231",
        year=2023,
        doi="10.1038/s41597-023-02125-y",
    ),
    how=f"Download SNOW_Image.zip and the mask archives from {RECORD} (or SNOW_Dataset_20k.zip, linked from "
    "https://github.com/Cassie07/SNOW-Dataset), and pass the folder.",
    sources=(
        Source(url=RECORD, kind="page"),
        Source(url="https://github.com/Cassie07/SNOW-Dataset", kind="page"),
    ),
    labels={"nucleus": "nucleus"},
    legend={1: ("nucleus",)},
    splits={"train": 20000},
    no_subject="no patients: the pictures are synthetic",
    keys="synthetic",
    evidence=Evidence(
        layout=f"{README}@1122a7b5 (Image and Mask), @c4950c4 (SNOW_Image.zip and mask archives with json, mat and "
        "overlay); openmedlab/dataset:SNOW.md",
        labels="public code that reads inst_map of the .mat files",
        license="doi:10.1038/s41597-023-02125-y; doi:10.5281/zenodo.6633721 (CC BY 4.0)",
        subject="doi:10.1038/s41597-023-02125-y (StyleGAN2)",
    ),
    notes=(
        "Synthetic pictures with a model's outlines, both trained on other sets (BreCaHAD, PanNuke): for training "
        "and never for evaluation.",
        "The source's JSON files hold the same nuclei as polygons and are not read.",
    ),
)


def row(case):
    return Row(
        id=case.name,
        image=case.image,
        mask=matlab.mask(case.nuclei, "inst_map"),
        instances=True,
        meta={"synthetic": True},
    )


rows = Join(
    r"^(?!(?:.*/)?overlay/)(?:.*/)?(?P<name>seed\d+)\.png$",
    row,
    nuclei=Partner(
        r"(?:^|/)(?:mat|Mask)/(?:.*/)?(?P<name>seed\d+)\.mat$",
        skip="a picture whose nuclei are not in this copy",
    ),
    left=[(r"(?:^|/)overlay/(?:.*/)?seed\d+\.png$", "a drawing of the nuclei over the picture")],
)


def miniature(make):
    # Mask archives are named differently in different places; besides .mat they hold polygons and drawings.
    names = ("seed0000", "seed0001", "seed5001")
    with make.zip("SNOW_Image.zip") as inner:
        for name in names:
            inner.image(f"{name}.png", (32, 32), mode="RGB")
    for archive, mine in (("mask_0_5000", names[:2]), ("mask_5001_10k", names[2:])):
        with make.zip(f"{archive}.zip") as inner:
            for name in mine:
                inner.bytes(f"mat/{name}.mat", mat("inst_map", nuclei(32, 32, 3)))
                inner.json(f"json/{name}.json", {"mag": None, "nuc": {}})
                inner.image(f"overlay/{name}.png", (32, 32), mode="RGB")
    # The other packaging.
    with make.zip("SNOW_Dataset_20k.zip") as inner:
        inner.image("SNOW_Dataset_20k/Image/seed9999.png", (32, 32), mode="RGB")
        inner.bytes("SNOW_Dataset_20k/Mask/seed9999.mat", mat("inst_map", nuclei(32, 32, 4)))


def mat(name, rows):
    """The bytes of a MATLAB 5 file that holds one matrix of whole numbers below 256 (int32, as the source's)."""
    values = b"".join(row[x].to_bytes(4, "little") for x in range(len(rows[0])) for row in rows)
    parts = (
        (6, b"\x0c\0\0\0\0\0\0\0"),  # flags: an int32 matrix
        (5, len(rows).to_bytes(4, "little") + len(rows[0]).to_bytes(4, "little")),
        (1, name.encode()),
        (5, values),
    )
    body = b"".join(element(kind, data) for kind, data in parts)
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM" + element(14, body)


def element(kind, data):
    return kind.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data + b"\0" * (-len(data) % 8)


def nuclei(height, width, count):
    """A picture of `count` square nuclei in a row."""
    side = width // count
    return [
        [(x // side + 1) * (1 < x % side < side - 1 and 2 < y < height - 3 and x // side < count) for x in range(width)]
        for y in range(height)
    ]
