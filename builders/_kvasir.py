"""Kvasir and HyperKvasir: classes, what was looked for with each, and where."""

from medimg.errors import LabelError
from medimg.readers import boxes
from medimg.schema import Box, Row

CITATION = {
    "title": "Kvasir: a multi-class image dataset for computer aided gastrointestinal disease detection",
    "authors": "Pogorelov K, Randel KR, Griwodz C, et al.",
    "venue": "ACM MMSys 2017:164-169",
    "year": 2017,
    "doi": "10.1145/3083187.3083212",
}
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


def rows(files):
    """Rows of Kvasir v1 and v2, whose classes are folders."""
    for image, name in files.match(rf"(?:^|/)({'|'.join(LABELS)})/[^/]+\.jpg$"):
        classes = LABELS[name]
        groups = [group for group in (LANDMARKS, FINDINGS, DYED) if set(group) & set(classes)]
        yield Row(
            id=image.stem,
            image=image,
            organ=(ORGAN.get(name, "colon"),),
            classes=classes,
            assessed=tuple(term for group in groups for term in group),
            source=name,
        )


def outlined(files, table, image, stated):
    """Boxes of the polyps of one image, as the table of Kvasir-SEG and of HyperKvasir states them.

    Args:
        table: the JSON file, None where this copy has none.
        image: whose stem is its key.
        stated: the table's value.

    Returns:
        Fields of the row.
    """
    entry = stated.get(image.stem)
    if entry is None:
        lacking = f"{table.name} has no entry for it" if table else "the table of boxes is not in this copy"
        files.tell(image, f"{lacking}: its boxes are not known")
        return {}
    found = []
    for number, one in enumerate(entry.get("bbox", ()), 1):
        place = f"box {number} of {image.stem}"
        if one.get("label") != "polyp":
            raise LabelError(f"{place} is labeled {one.get('label')!r}, not 'polyp'", file=table.path)
        corners = boxes.corners(one, ("xmin", "ymin", "xmax", "ymax"), file=table, place=place)
        found.append(Box(name="colon polyp", box=corners))
    return {"boxes": found, "drawn_on": boxes.size(entry), "source": {table.name: entry}}


GREEN = {0: (9, 9, 9), 1: (20, 200, 40), 2: (190, 110, 90), 3: (200, 120, 100), 4: (180, 100, 80)}
"""A picture whose left quarter is green."""


def miniature(make, archive, folder):
    with make.zip(archive) as inner:
        for n, name in enumerate(LABELS):
            uuid = f"{n:08x}-37e0-4e7b-8b0d-0e2a3c1d9f{n:02x}"
            path, size = f"{folder}/{name}/{uuid}.jpg", (192, 107) if n % 2 else (72, 57)
            if name == "polyps":  # with the position of the endoscope in a green box
                drawn = {"labels": (1, 2, 3, 4), "nested": False, "colors": GREEN}
                inner.image(path, size, **drawn, quality=95)
            else:
                inner.image(path, size, mode="RGB", seed=uuid)
