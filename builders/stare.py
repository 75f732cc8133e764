"""STARE: fundus photographs of the project STructured Analysis of the Retina, in San Diego.

About 400 photographs with their diagnoses; in 20 of them two observers outlined the retinal vessels.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.join import Join, Partner, lines
from medimg.readers import masks, raster
from medimg.schema import Row, skipped

SITE = "http://cecas.clemson.edu/~ahoover/stare"
SUMS = {
    "stare-images": "5f7b509b6067cad4f1be84933145d783de9ec087b3eaaf4db0103dd0144dd433",
    "labels-ah": "ebf2f1e17ca955f24579d9edd990e2dae79a5c82def69f0985d8e24f826ddd2f",
    "labels-vk": "47474a701536b0cfdb369fdce012be36141e9f44d80387f0179446b5cb0f5576",
}
TWICE = "the same picture stands in another file, too"
UNKNOWN = "all-mg-codes.txt has no line for it, or is not in this copy, and no vessel map is of it"
VESSELS = {1: ("retinal vessel",)}
OBSERVERS = {"ah": "first-observer", "vk": "second-observer"}
CODES = {
    "0": "normal",
    "1": "retinal embolus",
    "2": "branch retinal artery occlusion",
    "3": "cilio-retinal artery occlusion",
    "4": "branch retinal vein occlusion",
    "5": "central retinal vein occlusion",
    "6": "hemi-central retinal vein occlusion",
    "7": "nonproliferative diabetic retinopathy",
    "8": "proliferative diabetic retinopathy",
    "9": "arteriosclerotic retinopathy",
    "10": "hypertensive retinopathy",
    "11": "Coats disease",
    "12": "retinal macroaneurysm",
    "13": "choroidal neovascularization",
    "14": "other abnormality",
}
"""Diagnoses by the codes of all-mg-codes.txt."""

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
        title="Locating blood vessels in retinal images by piecewise threshold probing of a matched filter response",
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
    labels=CODES,
    legend=VESSELS,
    splits={"train": 397},
    configs=(
        Config(name="diagnoses", title="All photographs with their diagnoses", task="multi-label classification"),
        *(
            Config(name=name, title=f"Vessels of the {name}", task="segmentation", splits={"train": 20})
            for name in OBSERVERS.values()
        ),
    ),
    parts=(
        Part(config="diagnoses"),
        Part(config=tuple(OBSERVERS.values()), legend=VESSELS, names=()),
    ),
    no_subject="patients are not published",
    keys="observer; image; codes; diagnosis",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/stare.py@e38c9cf9 (vessels); public source "
        "files (addresses of all-images.zip and all-mg-codes.txt); unverified: what all-mg-codes.txt holds",
        labels="unverified: the names of the codes. Read: open-mmlab/mmsegmentation:"
        "tools/dataset_converters/stare.py (vessels from 128 on)",
        license="none stated on the site (linhandev/dataset README)",
        subject="unverified: patients are not published",
    ),
    notes=(
        "The 20 photographs with vessels are in all three sub-collections: take one observer per experiment.",
        "Of numbers 1 to 402 five are missing, and 43 photographs have no complete diagnosis: nothing is "
        "assessed there.",
        "Diagnoses outside the thirteen that the project distinguishes are code 14; the source's own words "
        "are in `label.source`.",
    ),
)


def row(case):
    copies = sorted(case.image.values(), key=lambda file: file.suffix == ".jpg")  # what is lossless first
    general, probed = min(copies, key=is_probed), max(copies, key=is_probed)
    used = set()
    told = True  # of two lines that contradict each other, too: they cost this row, not those of the vessel maps
    with case.files.row(general):
        told = case.line is not None
        if told:
            yield diagnosed(case.name, general, case.line)
    if told:
        used.add(general)
    for observer, config in OBSERVERS.items():
        vessels = [file for file in case.maps.values() if f".{observer}." in file.name]
        if vessels:
            used |= {probed, vessels[0]}
            yield Row(
                id=f"{case.name}-{observer}",
                config=config,
                image=raster.picture(probed),
                mask=masks.threshold(raster.picture(vessels[0])),
                meta={"observer": observer},
            )
        elif case.maps:
            lacks = f"the vessel map of the {config.replace('-', ' ')} is not in this copy"
            case.files.tell(probed, lacks)
    yield from skipped((file for file in case.own if file not in used), TWICE if used else UNKNOWN)


def is_probed(file):
    """Whether a photograph is of the archive that belongs to the vessel maps, rather than of all photographs."""
    return "stare-images" in file.path, file.path.endswith(".gz")


def diagnosed(name, image, line):
    # Where the ophthalmologist could not tell there is no number.
    codes = [code for code in line["codes"].split() if code in DATASET.labels]
    return Row(
        id=name,
        config="diagnoses",
        image=raster.picture(image),
        classes=[term for code in dict.fromkeys(codes) for term in DATASET.labels[code]],
        assessed=DATASET.every_label if codes else (),
        source=line,
    )


rows = Join(
    r"^(?P<copy>(?:.*/)?(?P<name>im\d{4})\.(?:ppm|jpg)(?:\.gz)?)$",
    row,
    by="copy",
    maps=Partner(
        r"^(?P<copy>(?:.*/)?(?P<name>im\d{4})\.(?:ah|vk)\.(?:ppm|jpg)(?:\.gz)?)$",
        by="copy",
        orphan="a vessel map whose photograph is not in this copy",
    ),
    line=lines(
        r"(?:^|/)all-mg-codes\.txt$",
        "image",
        key="name",
        lost="diagnoses are",
        rest="its photograph is not in this copy",
        delimiter="\t",
        header=False,
        columns=("image", "codes", "diagnosis"),
        pad=True,
    ),
)


def miniature(make):
    # One photograph has the size of the source's, in few colors.
    sizes = {"im0001": (70, 60), "im0255": (700, 605)}
    colors = {"im0001": {"seed": "im0001"}, "im0255": {"labels": (60, 90, 160)}}
    # Tars of gzipped files; the table has no header, several codes in one cell, and gaps.
    for archive, kind in (("stare-images", ""), ("labels-ah", ".ah"), ("labels-vk", ".vk")):
        with make.tar(f"{archive}.tar") as inner:
            for name in ("im0001", "im0255"):
                picture = {"labels": (120, 255)} if kind else {"mode": "RGB", **colors[name]}
                inner.image(f"{name}{kind}.ppm.gz", sizes[name], **picture)
    with make.zip("all-images.zip") as inner:
        for name in ("im0001", "im0014", "im0255", "im0402"):
            size = sizes.get(name, (70, 60))
            inner.image(f"{name}.ppm", size, mode="RGB", **colors.get(name, {}))
    lines = (
        "im0001\t13 14  \tChoroidal Neovascularization AND Histoplasmosis",
        "im0014\t?\tUnknown",
        "im0255\t0\tNormal",
    )
    make.text("all-mg-codes.txt", "\n".join((*lines, "im0402\t7 10\tBackground Diabetic Retinopathy AND ...")))
