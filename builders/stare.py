"""STARE: fundus photographs of the project STructured Analysis of the Retina, in San Diego.

About 400 photographs with their diagnoses; in 20 of them two observers outlined the retinal vessels.
"""

from medimg.builders import _stare
from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.readers import masks, raster, tables
from medimg.schema import Row, Skipped

SITE = "http://cecas.clemson.edu/~ahoover/stare"
PAGE = "http://www.parl.clemson.edu/stare/diagnosis.html"
SUMS = {
    "stare-images": "5f7b509b6067cad4f1be84933145d783de9ec087b3eaaf4db0103dd0144dd433",
    "labels-ah": "ebf2f1e17ca955f24579d9edd990e2dae79a5c82def69f0985d8e24f826ddd2f",
    "labels-vk": "47474a701536b0cfdb369fdce012be36141e9f44d80387f0179446b5cb0f5576",
}
OBSERVERS = {"ah": "first-observer", "vk": "second-observer"}
DATASET = Dataset(
    name="stare",
    title="STARE, STructured Analysis of the Retina",
    aliases=("STructured Analysis of the Retina",),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task=("segmentation", "multi-label classification"),
    license="LicenseRef-unknown",
    homepage="https://cecas.clemson.edu/~ahoover/stare/",
    citation=Citation(
        title="Locating blood vessels in retinal images by piecewise threshold probing of a matched filter "
        "response",
        authors="Hoover A, Kouznetsova V, Goldbaum M",
        venue="IEEE Transactions on Medical Imaging 19(3):203-210",
        year=2000,
        doi="10.1109/42.845178",
    ),
    sources=(
        *(Source(url=f"{SITE}/probing/{name}.tar", sha256=sha256) for name, sha256 in SUMS.items()),
        Source(url=f"{SITE}/images/all-images.zip"),
        Source(url=f"{SITE}/diagnoses/all-mg-codes.txt"),
    ),
    labels=_stare.CODES,
    legend={1: ("retinal vessel",)},
    splits={"train": 397},
    configs=(
        Config(
            name="diagnoses",
            title="All photographs with their diagnoses",
            task="multi-label classification",
            splits={"train": 397},
        ),
        *(
            Config(name=name, title=f"Vessels of the {name}", task="segmentation", splits={"train": 20})
            for name in OBSERVERS.values()
        ),
    ),
    no_subject="patients are not published",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/stare.py@e38c9cf9 (vessels); public "
        "scripts that read all-images.zip and all-mg-codes.txt (diagnoses)",
        labels=f"{PAGE} (0 normal, 1 to 13 known, 14 any other); names of the codes from a public copy of "
        f"their list; open-mmlab/mmsegmentation:tools/dataset_converters/stare.py (vessels from 128 on)",
        license="none stated on the site",
        subject=f"{PAGE}: no word of patients",
    ),
    notes=(
        "The 20 photographs with vessels are in all three sub-collections: take one observer per experiment.",
        "Of numbers 1 to 402 five are missing, and 43 photographs have no complete diagnosis: nothing is "
        "assessed there.",
        "Diagnoses outside the thirteen that the project distinguishes are code 14; the source's own words "
        "are in `label.source`.",
    ),
)


def rows(files):
    table = files.find(r"(?:^|/)all-mg-codes\.txt$")
    names = ("image", "codes", "diagnosis")
    listed = tables.rows(table, delimiter="\t", header=False, columns=names, pad=True) if table else ()
    stated = {row["image"].strip(): row for row in listed}
    for image, name in files.match(r"(?:^|/)(im\d{4})\.(?:ppm|jpg)$"):
        row = stated.get(name)
        if row is None:
            yield Skipped(file=image, reason="all-mg-codes.txt has no line for it, or is not in this copy")
            continue
        # Where the ophthalmologist could not tell there is no number.
        codes = [code for code in row["codes"].split() if code in DATASET.labels]
        yield Row(
            id=name,
            config="diagnoses",
            image=image,
            classes=[name for code in dict.fromkeys(codes) for name in DATASET.labels[code]],
            assessed=tuple(name for names in DATASET.labels.values() for name in names) if codes else (),
            source=row,
        )
    drawn = files.index(r"(?:^|/)(im\d{4})\.(ah|vk)\.ppm(?:\.gz)?$", key=(1, 2))
    photographs = files.index(r"(?:^|/)(im\d{4})\.ppm\.gz$")
    for (name, observer), vessels in drawn.items():
        if name not in photographs:
            yield Skipped(file=vessels, reason="a vessel map whose photograph is not in this copy")
            continue
        yield Row(
            id=f"{name}-{observer}",
            config=OBSERVERS[observer],
            image=raster.picture(photographs[name]),
            mask=masks.threshold(raster.picture(vessels)),
            meta={"observer": observer},
        )
    for name, image in photographs.items():
        if not any((name, observer) in drawn for observer in OBSERVERS):
            yield Skipped(file=image, reason="a photograph whose vessel maps are not in this copy")


def miniature(make):
    _stare.miniature(make)
