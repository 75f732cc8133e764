"""Tables of nodules by seriesuid and world coordinates, as LUNA16 and the challenges after it have them."""

from typing import NamedTuple

from medimg.readers import table_lines, tables, world
from medimg.schema import Box, Measure, Point

SERIES = "seriesuid"
PLACE = ("coordX", "coordY", "coordZ")
DIAMETER = "diameter_mm"
COLUMNS = (SERIES, *PLACE, DIAMETER)
"""Of the table of nodules; their order counts for nothing."""
TOLD = (*PLACE, DIAMETER, "class")
"""Columns that lines in `label.source` have."""


class Stated(NamedTuple):
    """What the tables state of a scan.

    Attributes:
        source: table -> its header and the lines of the scan, each of the columns `TOLD` as the file has them.
        nodules: the lines of the table of nodules, cell by cell.
    """

    source: dict[str, list[str]]
    nodules: list[table_lines.Line]


def by_series(files, needed="annotations.csv"):
    """Series -> `Stated`.

    Of two files with one name the one nearest the root counts. Tables may have 750,000 lines: a line stays
    one string, but for those of `needed`.

    Raises:
        SourceError: the table `needed` is not there.
        FormatError: it lacks one of `COLUMNS`, or a line of a table belongs to no scan.
    """
    stated, names = {}, set()
    for table, name in files.match(r"(?:^|/)((?:annotations|candidates|additional_annotations)\w*\.csv)$"):
        if name in names:
            continue
        names.add(name)
        for line in tables.rows(table, columns=COLUMNS if name == needed else None):
            scan = stated.setdefault(series_of(line), Stated({}, []))
            header, cells = text(line)
            scan.source.setdefault(name, [header]).append(cells)
            if name == needed:
                scan.nodules.append(line)
    if needed not in names:
        files.need(rf"(?:^|/){needed}$", next_step=f"put {needed} beside the scans: it has the nodules")
    return stated


def series_of(row):
    """The scan of a line of a table.

    Raises:
        FormatError: it belongs to none.
    """
    if not row[SERIES].strip():
        raise row.wrong(SERIES, "is blank: the line belongs to no scan")
    return row[SERIES].strip()


def text(row):
    """(header, line) of the columns that may be told, with commas."""
    cells = {name: cell for name, cell in row.items() if name in TOLD}
    return ",".join(cells), ",".join(cells.values())


def label(image, nodules):
    """Boxes, points and diameters of the nodules of one scan.

    Args:
        image: its header file.
        nodules: lines of a table with `COLUMNS`, in mm, LPS.

    Raises:
        FormatError: a cell is no number.
    """
    centers = [[row.number(column) for column in PLACE] for row in nodules]
    diameters = [row.number(DIAMETER) for row in nodules]
    cubes = world.cubes(image, list(zip(centers, diameters, strict=True)))
    return {
        "boxes": [Box(name="lung nodule", box=cube) for cube in cubes],
        "points": [Point(name="lung nodule", point=point) for point in world.to_voxel(image, centers)],
        "measures": [Measure(name="nodule diameter", value=value, unit="mm") for value in diameters],
    }
