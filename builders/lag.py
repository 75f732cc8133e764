"""LAG: fundus photographs with suspected glaucoma or without, and where ophthalmologists looked.

11,760 photographs, of which the first part of the database (4,854 with attention maps) is handed out; the maps
follow the gaze of ophthalmologists, simulated by uncovering a blurred picture.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.readers import tables
from medimg.schema import Row

README = "smilell/AG-CNN:README.md@0397ed6"
LISTED = "openmedlab/Awesome-Medical-Dataset:resources/LAG.md@81da0eee"

DATASET = Dataset(
    name="lag",
    title="LAG, Large-scale Attention-based Glaucoma database",
    aliases=("LAG database", "LAG_database_part_1"),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task=("classification", "attention"),
    license="LicenseRef-LAG",
    citation=Citation(
        title="Attention Based Glaucoma Detection: A Large-Scale Database and CNN Model",
        authors="Li L, Xu M, Wang X, Jiang L, Liu H",
        venue="CVPR 2019:10571-10580",
        year=2019,
        doi="10.1109/CVPR.2019.01082",
    ),
    access="application",
    how="Ask the authors for the password (address in https://github.com/smilell/AG-CNN), download "
    "LAG_database_part_1.rar from the Dropbox linked there, unpack it, and pass the folder.",
    sources=(Source(url="https://github.com/smilell/AG-CNN", kind="page"),),
    labels={"non_glaucoma": "no glaucoma", "suspicious_glaucoma": "suspected glaucoma"},
    splits={"train": 4854},
    no_subject="patients are not published",
    keys="folder; label",
    evidence=Evidence(
        layout=f"{LISTED}; public loaders of LAG_database_part_1 (a map bears the name of its image)",
        labels=f"{README} (0 negative, 1 suspicious)",
        license=f"{README} (academic use only, no uploading)",
        subject=f"{README}: no word of patients",
    ),
    notes=(
        "The attention map is `label.target`: gray, 112 x 112 pixels, over the whole image.",
        "Only the first part is handed out; the number of its images (4,854) is from memory.",
    ),
)


def row(case):
    source = {"folder": case.kind}
    if case.text:
        source["label"] = tables.lines(case.text)
    return Row(
        id=f"{case.kind}-{case.name}",
        image=case.image,
        target=case.map,
        classes=DATASET.labels[case.kind],
        assessed=DATASET.every_label,
        source=source,
    )


KIND = r"(?:^|/)(?P<kind>(?:non|suspicious)_glaucoma)"

rows = Join(
    KIND + r"/image/(?P<name>[^/]+)\.jpg$",
    row,
    map=Partner(
        KIND + r"/attention_map/(?P<name>[^/]+)\.jpg$",
        tell="its attention map is not in this copy",
        lost="attention maps are",
    ),
    text=Partner(KIND + r"/label/(?P<name>[^/]+)\.txt$"),
)


def miniature(make):
    # One image has no map, and one no text.
    for kind, value, names in (
        ("non_glaucoma", 0, ("0001", "0002")),
        ("suspicious_glaucoma", 1, ("0005", "0008")),
    ):
        folder = f"LAG_database_part_1/{kind}"
        for name in names:
            make.image(f"{folder}/image/{name}.jpg", (50, 50), mode="RGB")
            if name != "0008":
                make.image(f"{folder}/attention_map/{name}.jpg", (11, 11))
            if name != "0002":
                make.text(f"{folder}/label/{name}.txt", f"{value}\n")
