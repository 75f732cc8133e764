"""REFUGE: the miniature, and what the builder shares with it."""

GLAUCOMA = ("Label(Glaucoma=1)", "Glaucoma Label")
"""Columns of the test set's and of the validation set's workbook."""


def miniature(make):
    # Six archives; every workbook has another name or other columns; masks of the test set lie in folders G and N.
    train = (("Glaucoma", "g0001"), ("Non-Glaucoma", "n0001"))
    with make.zip("REFUGE-Training400.zip") as inner:
        for folder, name in train:
            inner.image(f"Training400/{folder}/{name}.jpg", (53, 51), mode="RGB")
    with make.zip("Annotation-Training400.zip") as inner:
        for folder, name in train:
            _mask(inner, f"Annotation-Training400/Disc_Cup_Masks/{folder}/{name}.bmp", (53, 51))
        table = [(n, f"{name}.jpg", 25.5, 24.25) for n, (_, name) in enumerate(train, 1)]
        inner.xlsx(
            "Annotation-Training400/Fovea_location.xlsx", ["ID", "ImgName", "Fovea_X", "Fovea_Y"], table
        )
    test, validation = GLAUCOMA
    rest = (
        ("Validation400", "Validation400-GT", "V0001", "Fovea_locations", validation, 0),
        ("Test400", "Test-GT", "G/T0001", "Glaucoma_label_and_Fovea_location", test, 1),
    )
    for images, truth, mask, workbook, column, value in rest:
        images, truth, name = f"REFUGE-{images}", f"REFUGE-{truth}", mask.rpartition("/")[2]
        with make.zip(f"{images}.zip") as inner:
            inner.image(f"{images}/{name}.jpg", (41, 41), mode="RGB")
        with make.zip(f"{truth}.zip") as inner:
            _mask(inner, f"{truth}/Disc_Cup_Masks/{mask}.bmp", (41, 41))
            header = ["ID", "ImgName", column, "Fovea_X", "Fovea_Y"]
            inner.xlsx(f"{truth}/{workbook}.xlsx", header, [(1, f"{name}.jpg", value, 20.5, 19.75)])
    # Kaggle's copy: a folder called REFUGE2, no workbooks, masks as PNG for the validation set alone.
    for part, name, suffix in (("train", "n0002", "bmp"), ("val", "V0002", "png"), ("test", "T0002", "bmp")):
        size = (53, 51) if part == "train" else (41, 41)
        make.image(f"REFUGE2/{part}/images/{name}.jpg", size, mode="RGB")
        _mask(make, f"REFUGE2/{part}/mask/{name}.{suffix}", size)


def _mask(make, path, size):
    make.image(path, size, labels=(1, 2, 3), colors={0: 255, 1: 255, 2: 128, 3: 0})
