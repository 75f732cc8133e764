"""CAMUS: the miniature."""


def miniature(make, splits):
    with make.zip("CAMUS_public.zip") as inner:
        for part, patient in zip(splits, ("patient0001", "patient0002", "patient0500"), strict=True):
            inner.text(f"CAMUS_public/database_split/subgroup_{part}.txt", f"{patient}\n")
            for view, last in (("2CH", 4), ("4CH", 3)):
                stem = f"CAMUS_public/database_nifti/{patient}"
                said = ["ED: 1", f"ES: {last}", f"NbFrame: {last}", "Sex: F", "Age: 56", "ImageQuality: Good"]
                said += ["EF: 51", "FrameRate: 54.6"]
                inner.text(f"{stem}/Info_{view}.cfg", "\n".join(said))
                for kind, shape in (("ED", (14, 12)), ("ES", (14, 12)), ("half_sequence", (14, 12, last))):
                    image = {"spacing": (0.3, 0.3, 1), "dtype": "uint8"}
                    inner.nifti(f"{stem}/{patient}_{view}_{kind}.nii.gz", shape, low=0, high=255, **image)
                    mask = f"{stem}/{patient}_{view}_{kind}_gt.nii.gz"
                    inner.nifti(mask, shape, labels=(3, 2, 1), **image)
