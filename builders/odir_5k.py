"""ODIR-5K: fundus photographs of both eyes of 5,000 patients, with diagnostic keywords for each eye.

Collected by Shanggong Medical Technology from hospitals in China, with cameras of several makers; eight classes
are stated for each patient.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Lookup
from medimg.readers import tables
from medimg.schema import Row

HOME = "https://odir2019.grand-challenge.org"
COPY = "https://www.kaggle.com/datasets/andrewmvd/ocular-disease-recognition-odir5k"
COUNTED = "MinsuChae/Ocular-Disease-Recognition:full_df.csv@28a36191"
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

DATASET = Dataset(
    name="odir-5k",
    title="ODIR-5K, Ocular Disease Intelligent Recognition",
    aliases=("ODIR", "ODIR-2019", "Ocular Disease Recognition"),
    dimension="2d",
    modality="fundus photography",
    organ=("retina", "eye"),
    task="multi-label classification",
    license="LicenseRef-unknown",
    citation=Citation(
        title="A Benchmark of Ocular Disease Intelligent Recognition: One Shot for Multi-disease Detection",
        authors="Li N, Li T, Hu C, Wang K, Kang H",
        venue="Bench 2020, LNCS 12614:177-193",
        year=2021,
        doi="10.1007/978-3-030-71058-3_11",
        arxiv=("2102.07978",),
    ),
    access="registration",
    how=f"Sign in at {HOME}/dataset/ or {COPY}, download the images and the workbook (data.xlsx, or "
    "ODIR-5K_Training_Annotations(Updated)_V2.xlsx), and pass the folder or the zip.",
    sources=(Source(url=f"{HOME}/dataset/", kind="page"), Source(url=COPY, kind="page")),
    labels=LABELS,
    splits={"train": 7000, "test": 1000},
    subject="number before _left or _right in the file name",
    keys="eye; keywords; patient; N; D; G; C; A; H; M; O",
    evidence=Evidence(
        layout=f"{COUNTED}; openmedlab/Awesome-Medical-Dataset:resources/ODIR-5K.md@81da0eee; "
        "HossamBalaha/Medical-Datasets-for-Artificial-Intelligence (tree of the copy on Kaggle); "
        "JordiCorbilla/ocular-disease-intelligent-recognition-deep-learning:README.md@0011acb (the challenge's own "
        "names: ODIR-5K_Training_Dataset, ODIR-5K_Testing_Images, ODIR-5K_Training_Annotations(Updated)_V2.xlsx)",
        labels=f"{COUNTED} (94 keywords of 3,358 patients counted, compared with the classes); "
        "nkicsl/OIA-ODIR:README@08e515c",
        license="none stated: neither on the copy nor in OIA-ODIR; the challenge's terms were not read",
        subject=f"{COUNTED}: one row, two eyes",
    ),
    notes=(
        "The eight classes (N, D, G, C, A, H, M, O) are of the patient, both eyes together; they are in "
        "`label.source`. The labels of a row come from the keywords of its own eye.",
        "Keywords without a canonical name of their own are `other abnormality`, the source's class O; verbatim in "
        "`label.source`.",
        "Remarks such as lens dust or low image quality say nothing of the eye: with nothing else there are no labels.",
        "Test images are those of the off-site test, without labels.",
    ),
)


def row(case):
    shared = {"id": case.stem, "split": case.part.lower(), "subject": case.patient, "image": case.image}
    if case.part == "Test":
        return Row(**shared, assessed=(), meta={"eye": case.side})
    person = case.person
    keywords = person[f"{case.side.title()}-Diagnostic Keywords"]
    return Row(
        **shared,
        **said(keywords),
        source={"keywords": keywords, "patient": {key: person[key] for key in list(person)[7:15]}},
        meta={"eye": case.side, **{key: person[key] for key in ("Patient Age", "Patient Sex")}},
    )


def said(keywords):
    """What the keywords of one eye say; a keyword that nobody mapped is an error."""
    words = [" ".join(word.split()) for word in keywords.replace("，", ",").split(",") if word.strip()]
    terms = {word: LABELS[word] for word in words}
    classes = dict.fromkeys(name for word in words if word not in SUSPECTED for name in terms[word])
    uncertain = dict.fromkeys(SUSPECTED[word] for word in words if word in SUSPECTED)
    assessed = ()
    if any(terms.values()):
        assessed = [*dict.fromkeys((*CATEGORIES, *classes))]
    return {
        "classes": list(classes),
        "uncertain": [name for name in uncertain if name not in classes],
        "assessed": assessed,
    }


def people(files):
    """Patient -> line of the workbook, or of the table of the copy on Kaggle."""
    books = [book for (book,) in files.match(r"(?:^|/)(?:data|ODIR[^/]*Annotation[^/]*)\.xlsx$")]
    table = books[0] if books else files.find(r"(?:^|/)full_df\.csv$")
    return {line["ID"]: line for line in tables.rows(table)} if table else {}


rows = Join(
    r"(?P<part>Train|Test)ing[ _](?:Images|Dataset)/(?:.*/)?(?P<patient>\d+)_(?P<side>left|right)\.jpg$",
    row,
    person=Lookup(
        people,
        "patient",
        when=lambda case: case.part == "Train",
        skip="no table in this copy has a row for it",
    ),
    left=[(r"(?:^|/)preprocessed_images/[^/]+\.jpg$", "a cropped copy of 512 x 512 pixels")],
)


def miniature(make):
    # Keywords are separated by full-width commas, with stray blanks; N … O are of both eyes together.
    moderate, suspected = "moderate non proliferative retinopathy", "suspected abnormal color of  optic disc"
    people = (
        (0, 69, "Female", "cataract", "normal fundus", "00010000"),
        (2, 42, "Male", f"laser spot，{moderate}", moderate, "01000001"),
        (26, 63, "Female", "abnormal pigment ", "suspected glaucoma，lens dust", "00100001"),
        (65, 56, "Male", "low image quality", suspected, "00000001"),
    )
    header = ["ID", "Patient Age", "Patient Sex", "Left-Fundus", "Right-Fundus"]
    header += ["Left-Diagnostic Keywords", "Right-Diagnostic Keywords", *"NDGCAHMO"]
    rows = [
        (number, age, sex, f"{number}_left.jpg", f"{number}_right.jpg", left, right, *map(int, both))
        for number, age, sex, left, right, both in people
    ]
    root = "ODIR-5K/ODIR-5K/ODIR-5K"
    make.xlsx(f"{root}/data.xlsx", header, rows)
    for number, *_ in people:
        for side in ("left", "right"):
            name = f"{number}_{side}.jpg"
            make.image(f"{root}/Training Images/{name}", (56, 44), mode="RGB", seed=name)
    for side in ("left", "right"):
        make.image(f"{root}/Testing Images/937_{side}.jpg", (50, 44), mode="RGB")
    # Kaggle's own table has a row for each image and a wrong path; its small copies are cropped.
    wrong = "../input/ocular-disease-recognition-odir5k/ODIR-5K/Training Images"
    more = [
        (*row, f"{wrong}/{row[3 + n]}", "['C']", target, row[3 + n])
        for row in rows
        for n, target in enumerate(("[0, 0, 0, 1, 0, 0, 0, 0]", "[1, 0, 0, 0, 0, 0, 0, 0]"))
    ]
    make.csv("full_df.csv", [*header, "filepath", "labels", "target", "filename"], more)
    make.image("preprocessed_images/0_left.jpg", (32, 32), mode="RGB")
