"""Centroid files of VerSe and its kin: where vertebrae are, in voxels along axes that the file states."""

from medimg.errors import LabelError
from medimg.readers import nifti
from medimg.schema import Point


def points(stated, image, legend):
    """Centroids as points along the image's own axes. Only the image's header is read.

    Args:
        stated: [{"direction": ["P", "I", "R"]}, {"label": 20, "X": 63.2, "Y": 141.9, "Z": 31.8}, …]: voxels,
            counted from the center of the first one towards posterior, inferior and right. Centroids that are
            no numbers are left out.
        image: the volume.
        legend: label -> names.

    Raises:
        LabelError: unknown axes or an unknown label.
    """
    if not stated:
        return ()
    grid = nifti.volume(image).grid()
    columns = [[float(grid.affine[world][axis]) for world in range(3)] for axis in range(3)]
    along = [max(range(3), key=lambda world, column=column: abs(column[world])) for column in columns]
    counted = next((one["direction"] for one in stated if "direction" in one), ())
    source = {
        "RLAPSI".find(code) // 2: (code in "RAS", key) for code, key in zip(counted, "XYZ", strict=False)
    }
    if {*along} != {0, 1, 2} or source.keys() != {0, 1, 2}:
        raise LabelError(
            f"centroids along {counted} cannot be turned to the axes of this image", file=image.path
        )
    found = []
    for one in stated:
        if "label" not in one or any(one[key] != one[key] for key in "XYZ"):
            continue
        if one["label"] not in legend:
            raise LabelError(f"a centroid has the label {one['label']}, which is not known", file=image.path)
        point = []
        for world, column, size in zip(along, columns, grid.shape, strict=True):
            upward, key = source[world]
            point.append(one[key] if upward == (column[world] > 0) else size - 1 - one[key])
        found.append(Point(name=legend[one["label"]][0], point=tuple(point)))
    return tuple(found)


def miniature(make):
    pir = [[0, 0, 2, -7], [-1, 0, 0, 21], [0, -1, 0, -80], [0, 0, 0, 1]]
    las = [[-1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]
    # The last one's centroids are counted along other axes than its image's.
    for archive, folder, affine, labels, cases in (
        ("19training", "verse19training", pir, (20, 21), ["sub-verse004"]),
        (
            "19validation",
            "verse19validation",
            pir,
            (1, 19),
            [f"sub-verse400_split-verse{n}" for n in (290, 155)],
        ),
        ("20test", "03test", las, (28, 8), ["sub-gl195_dir-ax"]),
    ):
        with make.zip(f"dataset-verse{archive}.zip") as inner:
            for case in cases:
                raw, drawn = (
                    f"dataset-{folder}/{part}/{case.partition('_')[0]}" for part in ("rawdata", "derivatives")
                )
                inner.nifti(f"{raw}/{case}_ct.nii.gz", (10, 14, 8), affine=affine, high=1200)
                inner.json(f"{raw}/{case}_ct.json", {"KVP": "120", "Manufacturer": "Philips"})
                mask = {"affine": affine, "labels": labels, "dtype": "float64", "nested": False}
                inner.nifti(f"{drawn}/{case}_seg-vert_msk.nii.gz", (10, 14, 8), **mask)
                centroids = [
                    {"label": label, "X": 2.5, "Y": 4.1 + n, "Z": 3} for n, label in enumerate(labels)
                ]
                lost = {"label": 24, "X": float("nan"), "Y": float("nan"), "Z": float("nan")}
                inner.json(
                    f"{drawn}/{case}_seg-subreg_ctd.json", [{"direction": list("PIR")}, *centroids, lost]
                )
                inner.image(f"{drawn}/{case}_seg-vert_snp.png", (16, 12), mode="RGB")
    # The same scans as the challenge had them, under other names.
    challenge = "verse20_miccai_challenge/03_test/GL195/GL195_CT_ax"
    make.nifti(f"{challenge}.nii.gz", (10, 14, 8), affine=las, high=1200)
    make.nifti(f"{challenge}_seg.nii.gz", (10, 14, 8), affine=las, labels=(28, 8), dtype="uint8")
    make.json(
        f"{challenge}_iso-ctd.json", [{"direction": list("LPS")}, {"label": 28, "X": 2, "Y": 3, "Z": 4}]
    )
    make.image(f"{challenge}.png", (16, 12), mode="RGB")
