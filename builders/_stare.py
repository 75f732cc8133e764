"""STARE: what the codes of its diagnoses mean, and the miniature."""

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

PICTURES = {"im0001": {"mode": "RGB", "seed": "im0001"}, "im0255": {"mode": "RGB", "labels": (60, 90, 160)}}
SIZES = {"im0001": (70, 60), "im0255": (700, 605)}
"""One photograph has the size of the source's, in few colors."""


def miniature(make):
    # Tars of gzipped files; the table has no header, several codes in one cell, and gaps.
    for archive, kind in (("stare-images", ""), ("labels-ah", ".ah"), ("labels-vk", ".vk")):
        with make.tar(f"{archive}.tar") as inner:
            for name in ("im0001", "im0255"):
                picture = {"labels": (120, 255)} if kind else PICTURES[name]
                inner.image(f"{name}{kind}.ppm.gz", SIZES[name], **picture)
    with make.zip("all-images.zip") as inner:
        for name in ("im0001", "im0014", "im0255", "im0402"):
            picture = PICTURES.get(name, {"mode": "RGB"})
            inner.image(f"{name}.ppm", SIZES.get(name, (70, 60)), **picture)
    lines = (
        "im0001\t13 14  \tChoroidal Neovascularization AND Histoplasmosis",
        "im0014\t?\tUnknown",
        "im0255\t0\tNormal",
    )
    make.text(
        "all-mg-codes.txt", "\n".join((*lines, "im0402\t7 10\tBackground Diabetic Retinopathy AND ..."))
    )
