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
