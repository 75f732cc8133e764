"""ACDC: the miniature."""


def miniature(make):
    # The sform lies; end-diastole is mostly the first frame; the last patient has no group.
    patients = (
        ("training/patient001", 1, 12, "DCM"),
        ("training/patient090", 11, 4, "MINF"),
        ("testing/patient101", 1, 14, None),
    )
    image = {"spacing": (1.3, 1.3, 10), "sform": [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]], "low": 0}
    with make.zip("ACDC.zip") as inner:
        for folder, diastole, systole, group in patients:
            stem = f"ACDC/database/{folder}/{folder.rpartition('/')[2]}"
            stated = {
                "ED": diastole,
                "ES": systole,
                "Group": group,
                "Height": 184.0,
                "NbFrame": 3,
                "Weight": 95.0,
            }
            lines = [f"{key}: {value}" for key, value in stated.items() if value is not None]
            inner.text(f"ACDC/database/{folder}/Info.cfg", "\n".join(lines))
            inner.nifti(f"{stem}_4d.nii.gz", (12, 10, 4, 3), **image)
            for frame in (diastole, systole):
                inner.nifti(f"{stem}_frame{frame:02d}.nii.gz", (12, 10, 4), **image)
                mask = {"labels": (1, 2, 3), "dtype": "uint8"}
                inner.nifti(f"{stem}_frame{frame:02d}_gt.nii.gz", (12, 10, 4), **(image | mask))
