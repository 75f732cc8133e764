"""Tracings of the EchoNet collections: chords across the left ventricle in a table."""

from medimg.readers import tables

COLUMNS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")


def traced(table):
    """File name without suffix -> frame -> [(x1, y1, x2, y2), …], in the table's order."""
    found = {}
    for row in tables.rows(table, columns=COLUMNS):
        name = tables.file_name(row["FileName"]).removesuffix(".avi")
        frames = found.setdefault(name, {})
        if not name.strip():
            raise row.wrong("FileName", "is blank: the chord belongs to no video")
        line = tuple(row.number(column) for column in COLUMNS[1:5])
        frames.setdefault(row.integer("Frame"), []).append(line)
    return found


def polygon(lines):
    """Down one side of the chords and up the other; the first line is the long axis and no chord."""
    chords = lines[1:]
    return [line[:2] for line in chords] + [line[2:] for line in reversed(chords)]
