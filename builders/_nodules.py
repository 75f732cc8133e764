"""Tables of nodules by seriesuid and world coordinates, as LUNA16 and the challenges after it have them."""

from medimg.readers import tables, world
from medimg.schema import Box, Measure, Point


def by_series(files, needed="annotations.csv"):
    """Table -> (header, series -> lines), all as the file has them but without the series.

    Of two files with one name the one nearest the root counts. Tables may have 750,000 lines: a line stays
    one string.

    Raises:
        SourceError: the table `needed` is not there.
    """
    found = {}
    for table, name in files.match(r"(?:^|/)((?:annotations|candidates|additional_annotations)\w*\.csv)$"):
        if name in found:
            continue
        head, lines = "", {}
        for row in tables.rows(table):
            series, *cells = row.values()
            if not series.strip():
                raise row.wrong(next(iter(row)), "is blank: the line belongs to no scan")
            head = ",".join(list(row)[1:])
            lines.setdefault(series.strip(), []).append(",".join(cells))
        found[name] = (head, lines)
    if needed not in found:
        files.need(rf"(?:^|/){needed}$", next_step=f"put {needed} beside the scans: it has the nodules")
    return found


def numbers(line, columns=("coordX", "coordY", "coordZ", "diameter_mm")):
    """The numbers of a line.

    Raises:
        FormatError: one is missing.
    """
    cells = tables.Line(zip(columns, line.split(","), strict=False), "annotations.csv")
    return [cells.number(column) for column in columns]


def label(image, lines):
    """Boxes, points and diameters of the nodules of one scan.

    Args:
        image: its header file.
        lines: "x,y,z,diameter" in mm, LPS.
    """
    cells = [numbers(line) for line in lines]
    cubes = world.cubes(image, [(center, diameter) for *center, diameter in cells])
    centers = world.to_voxel(image, [center for *center, _ in cells])
    return {
        "boxes": [Box(name="lung nodule", box=cube) for cube in cubes],
        "points": [Point(name="lung nodule", point=center) for center in centers],
        "measures": [Measure(name="nodule diameter", value=one[-1], unit="mm") for one in cells],
    }
