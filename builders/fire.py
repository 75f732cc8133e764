"""FIRE: pairs of fundus photographs to register, with ten corresponding points each.

134 pairs made of 129 photographs of 39 patients of Papageorgiou Hospital in Thessaloniki: with large overlap,
with small overlap, and with anatomical change between the visits.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Point, Row, Skipped, skipped

HOME = "https://projects.ics.forth.gr/cvrl/fire/"
READER = "dataset-ninja/fire-fundus:src/convert.py@326cb5e"
CATEGORIES = {"S": "large overlap", "P": "small overlap", "A": "anatomical change"}

DATASET = Dataset(
    name="fire",
    title="FIRE, Fundus Image Registration dataset",
    aliases=("FIRE dataset", "Fundus Image Registration"),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task=("registration", "landmark localization"),
    license="LicenseRef-unknown",
    citation=Citation(
        title="FIRE: Fundus Image Registration dataset",
        authors="Hernandez-Matas C, Zabulis X, Triantafyllou A, et al.",
        venue="Journal for Modeling in Ophthalmology 1(4):16-28",
        year=2017,
        doi="10.35119/maio.v1i4.42",
    ),
    how=f"Download FIRE.7z from {HOME}, unpack it (7z cannot be read in place), and pass the folder FIRE.",
    sources=(Source(url=HOME, kind="page"), Source(url=f"{HOME}FIRE.7z", kind="page")),
    labels={"control point": "control point"},
    splits={"train": 134},
    no_subject="39 patients; which pairs are of one patient is not published",
    keys="category; category means; control_points_*.txt",
    evidence=Evidence(
        layout=f"{READER} and settings.py (folders, names, address {HOME}FIRE.7z)",
        labels=f"{READER} (x y in image 1, x y in image 2; 71, 49 and 14 pairs of S, P and A)",
        license="unknown: no text of a license was seen; dataset-ninja/fire-fundus:LICENSE.md@73ecf63 has none",
        subject="doi:10.35119/maio.v1i4.42 (39 patients); no key in the names",
    ),
    notes=(
        "A row is a pair: `image` is the first photograph, `label.target` the second, which is not aligned. The "
        "points are those of the first; `label.source` has them with their partners in the second, in order.",
        "The server sends an incomplete chain of certificates: some clients refuse it.",
    ),
)


def rows(files):
    second = files.index(r"(?:^|/)Images/([ASP]\d+)_2\.jpg$")
    marked = files.index(r"(?:^|/)Ground Truth/control_points_([ASP]\d+)_1_2\.txt$")
    for image, pair, category in files.match(r"(?:^|/)Images/(([ASP])\d+)_1\.jpg$"):
        target = second.pop(pair, None)
        if target is None:
            yield Skipped(file=image, reason="the second photograph of the pair is not in this copy")
            continue
        with files.row(image):
            lines = tables.numbers(marked[pair], 4)
            yield Row(
                id=pair,
                image=image,
                target=target,
                points=[Point(name="control point", point=(x, y)) for x, y, *_ in lines],
                assessed=("control point",),
                source={marked[pair].name: lines},
                meta={"category": category, "category means": CATEGORIES[category]},
            )
    yield from skipped(second.values(), "the first photograph of the pair is not in this copy")
    for image, *_ in files.match(r"(?:^|/)Masks/[^/]+\.png$"):
        yield Skipped(file=image, reason="one for all photographs: where there is retina, or features, to look for")


def miniature(make):
    # A folder with a space; lines end in spaces; one pair for each category; the archive that was unpacked.
    make.bytes("FIRE.7z", b"7z\xbc\xaf\x27\x1c")
    for n, pair in enumerate(("A01", "P01", "S71")):
        for side in (1, 2):
            make.image(f"FIRE/Images/{pair}_{side}.jpg", (58, 58), mode="RGB")
        lines = [f"{5 + k}.{n}00 {k * 4}.125 {7 + k}.500 {k * 4 + 1}.250 \r\n" for k in range(10)]
        make.text(f"FIRE/Ground Truth/control_points_{pair}_1_2.txt", "".join(lines))
    make.image("FIRE/Masks/mask.png", (58, 58), labels=(255,))
    make.image("FIRE/Masks/feature_mask.png", (58, 58), labels=(255,))
