"""Kvasir, Kvasir-SEG and HyperKvasir: what the versions of Kvasir share, and images with outlined polyps."""

from functools import partial

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.errors import LabelError
from medimg.join import Join, Lookup, Partner
from medimg.readers import boxes, masks, tables
from medimg.schema import Box, Row

PAGES = "simula/datasets.simula.no@baf1760"
HOST = "https://datasets.simula.no/downloads"

LABELS = {
    "normal-cecum": ("cecum", "normal"),
    "normal-pylorus": ("pylorus", "normal"),
    "normal-z-line": ("z-line", "normal"),
    "esophagitis": ("esophagitis",),
    "polyps": ("colon polyp",),
    "ulcerative-colitis": ("ulcerative colitis",),
    "dyed-lifted-polyps": ("dyed lifted polyp",),
    "dyed-resection-margins": ("dyed resection margin",),
}
ORGAN = {"normal-pylorus": "stomach", "normal-z-line": "esophagus", "esophagitis": "esophagus"}
"""Of the classes that are not in the colon."""
LANDMARKS = ("cecum", "pylorus", "z-line")
FINDINGS = ("normal", "esophagitis", "colon polyp", "ulcerative colitis")
DYED = ("dyed lifted polyp", "dyed resection margin")
NOTES = (
    "One class is given to each image; only the classes of its kind (landmarks, findings, dyed tissue) count as "
    "looked for, and findings too where the name says normal.",
    "Some images show the position of the endoscope in a green box in the corner, which gives classes away.",
    "File names are random: images of one patient may stand on both sides of any split.",
    "A third version (kvasir-dataset-v3.zip) exists; it is no part of this set.",
)


def version(archive, **declaration):
    """The declaration of Kvasir v1 or v2, whose classes are folders of one zip."""
    page = f"{PAGES} (datasets/kvasir.md)"
    return Dataset(
        dimension="2d",
        modality="endoscopy",
        organ="gastrointestinal tract",
        task="classification",
        license="LicenseRef-Simula",
        citation=Citation(
            title="Kvasir: a multi-class image dataset for computer aided gastrointestinal disease detection",
            authors="Pogorelov K, Randel KR, Griwodz C, et al.",
            venue="ACM MMSys 2017:164-169",
            year=2017,
            doi="10.1145/3083187.3083212",
        ),
        sources=(
            Source(url=f"{HOST}/kvasir/{archive}.zip"),
            Source(url="https://datasets.simula.no/kvasir/", kind="page"),
        ),
        labels=LABELS,
        no_subject="patients are not published",
        evidence=Evidence(
            layout=f"{page}; public copies (all eight folders)",
            labels=f"{page} (names of the classes)",
            license=f"{page} (Terms of use)",
            subject=f"{page}: no word of patients",
        ),
        notes=NOTES,
        **declaration,
    )


def _row(case):
    classes = LABELS[case.folder]
    groups = [group for group in (LANDMARKS, FINDINGS, DYED) if set(group) & set(classes)]
    return Row(
        id=case.stem,
        image=case.image,
        organ=(ORGAN.get(case.folder, "colon"),),
        classes=classes,
        assessed=tuple(term for group in groups for term in group),
        source=case.folder,
    )


rows = Join(rf"(?:^|/)(?P<folder>{'|'.join(LABELS)})/[^/]+\.jpg$", _row)
"""Of Kvasir v1 and v2."""


def segmented(folder, table, **same):
    """`rows` of images whose polyps are outlined, with their boxes: Kvasir-SEG, and a part of HyperKvasir.

    Args:
        folder: that holds `images` and `masks`, as a pattern.
        table: pattern of the JSON file of the boxes.
        **same: fields of every row.
    """

    def row(case):
        return Row(
            id=case.name,
            image=case.image,
            mask=masks.threshold(case.mask),
            classes=("colon polyp",),
            assessed=("colon polyp",),
            **(_boxes(case.name, *case.stated) if case.stated else {}),
            **same,
        )

    return Join(
        rf"{folder}images/(?P<name>[^/]+)\.jpg$",
        row,
        mask=Partner(
            rf"{folder}masks/(?P<name>[^/]+)\.jpg$",
            skip="an image whose mask is not in this copy",
            orphan="a mask whose image is not in this copy",
        ),
        stated=Lookup(
            partial(_stated, table),
            key="name",
            tell="no table of boxes in this copy has an entry for it: its boxes are not known",
        ),
    )


def _stated(pattern, files):
    """Stem of an image -> the table of boxes, what it says of the image."""
    table = files.find(pattern)
    return {name: (table, entry) for name, entry in tables.json_value(table).items()} if table else {}


def _boxes(name, table, entry):
    found = []
    for number, one in enumerate(entry.get("bbox", ()), 1):
        place = f"box {number} of {name}"
        if one.get("label") != "polyp":
            raise LabelError(f"{place} is labeled {one.get('label')!r}, not 'polyp'", file=table.path)
        corners = boxes.corners(one, ("xmin", "ymin", "xmax", "ymax"), file=table, place=place)
        found.append(Box(name="colon polyp", box=corners))
    return {"boxes": found, "drawn_on": boxes.size(entry), "source": {table.name: entry}}


GREEN = {0: (9, 9, 9), 1: (20, 200, 40), 2: (190, 110, 90), 3: (200, 120, 100), 4: (180, 100, 80)}
"""A picture whose left quarter is green."""


def miniature(make, archive):
    with make.zip(f"{archive}.zip") as inner:
        for n, name in enumerate(LABELS):
            uuid = f"{n:08x}-37e0-4e7b-8b0d-0e2a3c1d9f{n:02x}"
            path, size = f"{archive}/{name}/{uuid}.jpg", (192, 107) if n % 2 else (72, 57)
            if name == "polyps":  # with the position of the endoscope in a green box
                drawn = {"labels": (1, 2, 3, 4), "nested": False, "colors": GREEN}
                inner.image(path, size, **drawn, quality=95)
            else:
                inner.image(path, size, mode="RGB", seed=uuid)
