"""BCNB: the clinical columns, and the miniature."""

LABELS = {
    "ER": {"Positive": "ER positive", "Negative": "ER negative"},
    "PR": {"Positive": "PR positive", "Negative": "PR negative"},
    "HER2": {"Positive": "HER2 positive", "Negative": "HER2 negative"},
    "HER2 Expression": {mark: f"HER2 expression {mark}" for mark in ("0", "1+", "2+", "3+")},
    "Molecular subtype": {
        "Luminal A": "luminal A breast cancer",
        "Luminal B": "luminal B breast cancer",
        "HER2(+)": "HER2-enriched breast cancer",
        "Triple negative": "triple-negative breast cancer",
    },
    "ALN status": {
        "N0": "no lymph node metastasis",
        "N+(1-2)": "one or two lymph node metastases",
        "N+(>2)": "more than two lymph node metastases",
    },
}
"""Column -> value -> canonical name."""
COLUMNS = [
    *("Patient ID", "Age(years)", "Tumour Size(cm)", "Tumour Type", "ER", "PR", "HER2", "HER2 Expression"),
    *("Histological grading", "Surgical", "Ki67", "Molecular subtype", "Number of lymph node metastases"),
    "ALN status",
]


def classes(said):
    """(names that are true of the patient, all that were assessed); an empty cell is unknown."""
    present, assessed = [], []
    for column, names in LABELS.items():
        if value := said.get(column, "").strip():
            present.append(names[value])
            assessed += names.values()
    return tuple(present), tuple(assessed)


def miniature(make):
    """Slides of three patients, of one without outlines; patches of the paper."""
    splits = {"train": 1, "val": 2, "test": 1058}
    vertices = [[300, 120], [900, 130], [880, 420], [310.5, 400]]
    with make.zip("BCNB.zip") as inner:
        for part, patient in splits.items():
            inner.text(f"BCNB/dataset-splitting/{part}_id.txt", f"{patient}\n")
            colors = {0: (250, 250, 252), 1: (225, 160, 200), 2: (150, 80, 160)}
            inner.image(
                f"BCNB/WSIs/{patient}.jpg",
                (1200 + patient % 50, 560),
                labels=(1, 2),
                colors=colors,
                quality=80,
            )
            drawn = {"name": str(patient), "vertices": vertices}
            inner.json(
                f"BCNB/WSIs/{patient}.json", {"positive": [drawn] if patient != 2 else [], "negative": []}
            )
        cells = ("Negative", "Positive", "Negative", "2+", 2, "Mastectomy", 0.3, "Luminal B", 1, "N+(1-2)")
        table = [(patient, 50 + patient % 9, 2.1, "Invasive ductal carcinoma", *cells) for patient in (1, 2)]
        table.append(
            (
                1058,
                61,
                1.5,
                "Other type",
                "Negative",
                "Negative",
                "Negative",
                0,
                "",
                "",
                "",
                "Triple negative",
                0,
                "N0",
            )
        )
        inner.xlsx("BCNB/patient-clinical-data.xlsx", COLUMNS, table)
        inner.text("BCNB/README.txt", "Thanks for your interest in our BCNB\n")
    # Of the repository: a sample slide, which is none of 1 to 1058, and a table of standardized numbers.
    make.image("BALNMP/WSI Samples/N+(＞2)/351899/351899.jpg", (60, 40), mode="RGB")
    standard = ["p_id", "age", "tumor_size", "is_er_negative", "is_pr_negative", "is_her2_negative"]
    make.xlsx(
        "BALNMP/code/dataset/clinical_data/preprocessed-type-0.xlsx", standard, [(1, -0.7, 0.2, 1, 0, 1)]
    )
    with make.zip("paper_patches.zip") as inner:
        for patient in splits.values():
            for x in (300, 556):
                inner.image(f"patches/{patient}/{patient}_0_{x}_130.jpg", (64, 64), mode="RGB")
