"""ODIR-5K: what the diagnostic keywords of an eye say, and the miniature."""

DIABETIC = "diabetic retinopathy"
OTHER = "other abnormality"
MACULAR = "age-related macular degeneration"
CATEGORIES = (
    "normal",
    DIABETIC,
    "glaucoma",
    "cataract",
    MACULAR,
    "hypertensive retinopathy",
    "pathological myopia",
    OTHER,
)
"""The eight classes of the source (N, D, G, C, A, H, M, O): what every eye was looked at for."""
QUALITY = (
    "lens dust",
    "low image quality",
    "image offset",
    "optic disk photographically invisible",
    "anterior segment image",
    "no fundus image",
)
"""Remarks on the photograph that say nothing of the eye."""
KNOWN = {
    "normal fundus": ("normal",),
    "diabetic retinopathy": (DIABETIC,),
    "mild nonproliferative retinopathy": (DIABETIC, "mild nonproliferative diabetic retinopathy"),
    "moderate non proliferative retinopathy": (DIABETIC, "moderate nonproliferative diabetic retinopathy"),
    "severe nonproliferative retinopathy": (DIABETIC, "severe nonproliferative diabetic retinopathy"),
    "proliferative diabetic retinopathy": (DIABETIC, "proliferative diabetic retinopathy"),
    "severe proliferative diabetic retinopathy": (DIABETIC, "proliferative diabetic retinopathy"),
    "glaucoma": ("glaucoma",),
    "cataract": ("cataract",),
    "age-related macular degeneration": (MACULAR,),
    "dry age-related macular degeneration": (MACULAR, "dry age-related macular degeneration"),
    "wet age-related macular degeneration": (MACULAR, "wet age-related macular degeneration"),
    "hypertensive retinopathy": ("hypertensive retinopathy",),
    "pathological myopia": ("pathological myopia",),
    "myopia retinopathy": ("pathological myopia",),
    "myopic maculopathy": ("pathological myopia",),
    "drusen": (OTHER, "drusen"),
    "epiretinal membrane": (OTHER, "epiretinal membrane"),
    "macular epiretinal membrane": (OTHER, "epiretinal membrane"),
    "epiretinal membrane over the macula": (OTHER, "epiretinal membrane"),
    "optic disk epiretinal membrane": (OTHER, "epiretinal membrane"),
    "laser spot": (OTHER, "laser scar"),
    "post laser photocoagulation": (OTHER, "laser scar"),
    "post retinal laser surgery": (OTHER, "laser scar"),
    "fundus laser photocoagulation spots": (OTHER, "laser scar"),
    "branch retinal vein occlusion": (OTHER, "branch retinal vein occlusion"),
    "old branch retinal vein occlusion": (OTHER, "branch retinal vein occlusion"),
    "central retinal vein occlusion": (OTHER, "central retinal vein occlusion"),
    "old central retinal vein occlusion": (OTHER, "central retinal vein occlusion"),
    "branch retinal artery occlusion": (OTHER, "branch retinal artery occlusion"),
    "central retinal artery occlusion": (OTHER, "central retinal artery occlusion"),
    "retinitis pigmentosa": (OTHER, "retinitis pigmentosa"),
    "optic disc edema": (OTHER, "papilledema"),
    "macular hole": (OTHER, "macular hole"),
    "retinal detachment": (OTHER, "retinal detachment"),
    "intraretinal hemorrhage": (OTHER, "retinal hemorrhage"),
    "idiopathic choroidal neovascularization": (OTHER, "choroidal neovascularization"),
}
REST = (
    "abnormal pigment",
    "arteriosclerosis",
    "atrophic change",
    "atrophy",
    "central serous chorioretinopathy",
    "chorioretinal atrophy",
    "chorioretinal atrophy with pigmentation proliferation",
    "choroidal nevus",
    "congenital choroidal coloboma",
    "depigmentation of the retinal pigment epithelium",
    "diffuse chorioretinal atrophy",
    "diffuse retinal atrophy",
    "glial remnants anterior to the optic disc",
    "intraretinal microvascular abnormality",
    "macular coloboma",
    "macular pigmentation disorder",
    "maculopathy",
    "morning glory syndrome",
    "myelinated nerve fibers",
    "old chorioretinopathy",
    "old choroiditis",
    "optic discitis",
    "optic nerve atrophy",
    "oval yellow-white atrophy",
    "peripapillary atrophy",
    "pigment epithelium proliferation",
    "pigmentation disorder",
    "refractive media opacity",
    "retina fold",
    "retinal pigment epithelial hypertrophy",
    "retinal pigment epithelium atrophy",
    "retinal pigmentation",
    "retinal vascular sheathing",
    "retinochoroidal coloboma",
    "silicone oil eye",
    "spotted membranous change",
    "tessellated fundus",
    "vessel tortuosity",
    "vitreous degeneration",
    "vitreous opacity",
    "wedge white line change",
    "white vessel",
)
"""Further keywords of the public table, all of which the source counts as O; no canonical name of their own."""
SUSPECTED = {
    "suspected glaucoma": "glaucoma",
    "suspected cataract": "cataract",
    "suspected diabetic retinopathy": DIABETIC,
    "suspicious diabetic retinopathy": DIABETIC,
    "suspected moderate non proliferative retinopathy": DIABETIC,
    "suspected macular epimacular membrane": OTHER,
    "suspected retinal vascular sheathing": OTHER,
    "suspected microvascular anomalies": OTHER,
    "suspected abnormal color of optic disc": OTHER,
}
LABELS = (
    KNOWN
    | {word: (OTHER,) for word in REST}
    | {word: () for word in QUALITY}
    | {word: (name,) for word, name in SUSPECTED.items()}
)


def said(keywords):
    """What the keywords of one eye say; a keyword that nobody mapped is an error."""
    words = [" ".join(word.split()) for word in keywords.replace("，", ",").split(",") if word.strip()]
    terms = {word: LABELS[word] for word in words}
    classes = dict.fromkeys(name for word in words if word not in SUSPECTED for name in terms[word])
    uncertain = dict.fromkeys(SUSPECTED[word] for word in words if word in SUSPECTED)
    looked = any(terms.values())
    return {
        "classes": list(classes),
        "uncertain": [name for name in uncertain if name not in classes],
        "assessed": list(dict.fromkeys((*CATEGORIES, *classes))) if looked else (),
    }


HEADER = [
    "ID",
    "Patient Age",
    "Patient Sex",
    "Left-Fundus",
    "Right-Fundus",
    "Left-Diagnostic Keywords",
    "Right-Diagnostic Keywords",
    "N",
    "D",
    "G",
    "C",
    "A",
    "H",
    "M",
    "O",
]


def miniature(make):
    # Keywords are separated by full-width commas, with stray blanks; N … O are of both eyes together.
    people = (
        (0, 69, "Female", "cataract", "normal fundus", 0, 0, 0, 1, 0, 0, 0, 0),
        (
            2,
            42,
            "Male",
            "laser spot，moderate non proliferative retinopathy",
            "moderate non proliferative retinopathy",
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            1,
        ),
        (26, 63, "Female", "abnormal pigment ", "suspected glaucoma，lens dust", 0, 0, 1, 0, 0, 0, 0, 1),
        (
            65,
            56,
            "Male",
            "low image quality",
            "suspected abnormal color of  optic disc",
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            1,
        ),
    )
    rows = [(*one[:3], f"{one[0]}_left.jpg", f"{one[0]}_right.jpg", *one[3:]) for one in people]
    root = "ODIR-5K/ODIR-5K/ODIR-5K"
    make.xlsx(f"{root}/data.xlsx", HEADER, rows)
    for number, *_ in people:
        for side in ("left", "right"):
            name = f"{number}_{side}.jpg"
            make.image(f"{root}/Training Images/{name}", (56, 44), mode="RGB", seed=name)
    for side in ("left", "right"):
        make.image(f"{root}/Testing Images/937_{side}.jpg", (50, 44), mode="RGB")
    # Kaggle's own table has a row for each image and a wrong path; its small copies are cropped.
    more = [
        (
            *row,
            f"../input/ocular-disease-recognition-odir5k/ODIR-5K/Training Images/{row[3 + n]}",
            "['C']",
            target,
            row[3 + n],
        )
        for row in rows
        for n, target in enumerate(("[0, 0, 0, 1, 0, 0, 0, 0]", "[1, 0, 0, 0, 0, 0, 0, 0]"))
    ]
    make.csv("full_df.csv", [*HEADER, "filepath", "labels", "target", "filename"], more)
    make.image("preprocessed_images/0_left.jpg", (32, 32), mode="RGB")
