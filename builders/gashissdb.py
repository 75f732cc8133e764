"""GasHisSDB: tiles of gastric tissue, normal or abnormal, in three sizes.

245,196 crops of 80, 120 and 160 pixels from 600 pictures of gastric cancer pathology, stained with hematoxylin
and eosin, each with or without cancer cells.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.schema import Row

SPLITS = {"80": 146651, "120": 65261, "160": 33284}

DATASET = Dataset(
    name="gashissdb",
    title="GasHisSDB, Gastric Histopathology Sub-size Image Database",
    aliases=("GasHisSDB", "Gastric Histopathology Sub-size Image Database"),
    dimension="2d",
    modality="H&E histopathology",
    organ="stomach",
    task="classification",
    license="CC-BY-4.0",
    citation=Citation(
        title="GasHisSDB: a new gastric histopathology image dataset for computer aided diagnosis of gastric cancer",
        authors="Hu W, Li C, Li X, et al.",
        venue="Computers in Biology and Medicine 142:105207",
        year=2022,
        doi="10.1016/j.compbiomed.2021.105207",
    ),
    how="Download GasHisSDB.rar from figshare, unpack it (RAR cannot be read in place), and pass the folder.",
    sources=(
        Source(url="https://doi.org/10.6084/m9.figshare.15066147", kind="page"),
        Source(url="https://gitee.com/neuhwm/GasHisSDB", kind="page"),
    ),
    labels={"Abnormal": "abnormal gastric tissue", "Normal": "normal gastric tissue"},
    splits={"train": sum(SPLITS.values())},
    configs=tuple(
        Config(name=f"{size}px", title=f"Tiles of {size} pixels", splits={"train": count})
        for size, count in SPLITS.items()
    ),
    no_subject="not published: tiles are numbered, their names tell no picture of origin",
    evidence=Evidence(
        layout="HossamBalaha/Medical-Datasets-for-Artificial-Intelligence:docs/datasets/GasHisSDB.md; listings of "
        "an unpacked copy (folders 80, 120, 160; README.md; ._ files of macOS); "
        "openmedlab/Awesome-Medical-Dataset:resources/NuCLS.md@81da0ee, whose text is on this set "
        "(120x120/Abnormal/Abnormal-00001.png; both names of the folders are read)",
        labels="doi:10.1016/j.compbiomed.2021.105207 (abstract: normal and abnormal)",
        license="doi:10.6084/m9.figshare.15066147 (CC BY 4.0 in two registers of metadata)",
        subject="the same page: names of tiles are numbers",
    ),
    notes=(
        "The three sizes are crops of the same 600 pictures: use one, or keep all crops of a picture together.",
        "The source has no split; the authors divide 40/20/40 (unverified).",
    ),
)


def rows(files):
    found = files.index(r"(?:^|/)(80|120|160)(?:x\1)?/(Abnormal|Normal)/([^/]+)\.png$", key=(1, 2, 3))
    for (size, kind, _), image in found.items():
        yield Row(
            id=f"{kind}-{image.stem}",
            config=f"{size}px",
            image=image,
            classes=DATASET.labels[kind],
            assessed=DATASET.every_label,
            source=kind,
        )


def miniature(make):
    # Unpacked, with the archive and with what macOS left in it.
    make.bytes("GasHisSDB.rar", b"Rar!\x1a\x07\x01\x00")
    make.text("GasHisSDB/README.md", "# GasHisSDB")
    for size in SPLITS:
        for kind in DATASET.labels:
            make.bytes(f"GasHisSDB/{size}/{kind}/._{kind}-00001.png", b"\0\5\26\7")
            for n in (1, 2):
                pixels = int(size) // 4
                make.image(f"GasHisSDB/{size}/{kind}/{kind}-{n:05d}.png", (pixels, pixels), mode="RGB")
