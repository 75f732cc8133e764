"""CAMUS: the miniature."""


def miniature(make, splits):
    _older(make)
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


def _older(make):
    """The release in MetaImage: testing counts from 1 again and has no outlines."""
    for part, patient, last in (("training", "patient0450", 5), ("testing", "patient0001", 3)):
        stem = f"{part}/{patient}"
        for view in ("2CH", "4CH"):
            said = ["ED: 1", f"ES: {last}", f"NbFrame: {last}", "Sex: M", "Age: 68", "ImageQuality: Medium"]
            said += ["LVedv: 94.6", "LVesv: 48.2", "LVef: 49.0"] if part == "training" else []
            make.text(f"{stem}/Info_{view}.cfg", "\n".join(said) + "\n")
            for kind, depth in (("ED", 1), ("ES", 1), ("sequence", last)):
                image = {"shape": (14, 12, depth), "spacing": (0.3, 0.15, 1), "dtype": "uint8"}
                make.metaimage(f"{stem}/{patient}_{view}_{kind}.mhd", low=0, high=255, **image)
                if part == "training" and depth == 1:
                    make.metaimage(f"{stem}/{patient}_{view}_{kind}_gt.mhd", labels=(3, 2, 1), **image)
