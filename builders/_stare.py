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


def miniature(make):
    # Tars of gzipped files; the table has no header, several codes in one cell, and gaps.
    for archive, kind in (("stare-images", ""), ("labels-ah", ".ah"), ("labels-vk", ".vk")):
        with make.tar(f"{archive}.tar") as inner:
            for name in ("im0001", "im0255"):
                picture = {"labels": (255,)} if kind else {"mode": "RGB", "seed": name}
                inner.image(f"{name}{kind}.ppm.gz", (70, 60), **picture)
    with make.zip("all-images.zip") as inner:
        for name in ("im0001", "im0014", "im0255", "im0402"):
            inner.image(f"{name}.ppm", (70, 60), mode="RGB", seed=name)
    lines = (
        "im0001\t13 14  \tChoroidal Neovascularization AND Histoplasmosis",
        "im0014\t?\tUnknown",
        "im0255\t0\tNormal",
    )
    make.text(
        "all-mg-codes.txt", "\n".join((*lines, "im0402\t7 10\tBackground Diabetic Retinopathy AND ..."))
    )
