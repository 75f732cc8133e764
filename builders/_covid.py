"""The COVID-19 Image Data Collection's tables, which other collections took over.

Findings are paths such as Pneumonia/Viral/COVID-19 in later tables, the last part alone in early ones.
"""

from medimg.errors import LabelError
from medimg.readers import tables
from medimg.readers.boxes import coco
from medimg.schema import Box, Measure

_GROUPS = {
    "": "Pneumonia=pneumonia, Tuberculosis=tuberculosis, ARDS=acute respiratory distress syndrome, "
    "No Finding=no finding",
    "Pneumonia/": "Viral=viral pneumonia, Bacterial=bacterial pneumonia, Fungal=fungal pneumonia, "
    "Lipoid=lipoid pneumonia, Aspiration=aspiration pneumonia",
    "Pneumonia/Viral/": "COVID-19=COVID-19, SARS=SARS, MERS-CoV=MERS, Herpes=herpes pneumonia, "
    "Varicella=varicella pneumonia, Influenza=influenza pneumonia, Influenza/H1N1=influenza pneumonia",
    "Pneumonia/Bacterial/": "Streptococcus=streptococcal pneumonia, Klebsiella=klebsiella pneumonia, "
    "Legionella=legionella pneumonia, Mycoplasma=mycoplasma pneumonia, E.Coli=E. coli pneumonia, "
    "Nocardia=nocardia pneumonia, Chlamydophila=chlamydophila pneumonia, "
    "Staphylococcus=staphylococcal pneumonia, Staphylococcus/MRSA=staphylococcal pneumonia",
    "Pneumonia/Fungal/": "Pneumocystis=pneumocystis pneumonia, Aspergillosis=aspergillosis",
}
NAMES = {
    group + part: name
    for group, cells in _GROUPS.items()
    for part, name in (cell.split("=") for cell in cells.split(", "))
}
"""Path -> canonical name of its last part."""


def _levels(path):
    parts = path.split("/")
    return tuple(dict.fromkeys(NAMES["/".join(parts[:end])] for end in range(1, len(parts) + 1)))


LABELS = {path: _levels(path) for path in NAMES} | {
    "Mycoplasma Bacterial Pneumonia": _levels("Pneumonia/Bacterial/Mycoplasma"),
    "todo": (),
    "Unknown": (),
}
"""Path -> canonical names of all its levels, for `Dataset.labels`."""
FOUND = tuple(dict.fromkeys(name for names in LABELS.values() for name in names))
LUNGS = ("left lung", "right lung")
"""Of the boxes."""
_ENDS = {path.rsplit("/", 1)[-1].lower(): path for path in LABELS}


def findings(cell):
    """What a cell of column `finding` says.

    Args:
        cell: one finding or several, separated by commas.

    Returns:
        (classes: every level of what is found, assessed: classes and what is absent). Kinds of a group that
        is named alone (Pneumonia, Pneumonia/Bacterial) are neither. Nothing is assessed where the cell is
        blank, "todo" or "Unknown".
    """
    paths = []
    for part in filter(None, (part.strip() for part in cell.split(","))):
        path = part if part in LABELS else _ENDS.get(part.lower())
        if path is None:
            raise LabelError(f"finding {part!r} is not in the table", next_step="Add it to _covid.py.")
        paths.append(path)
    classes = tuple(dict.fromkeys(name for path in paths for name in LABELS[path]))
    if not classes:
        return (), ()
    if set(paths) == {"ARDS"}:  # a syndrome of many causes: which one is not said
        return classes, (*classes, "no finding")
    below = tuple(f"{path}/" for path in paths)
    return classes, tuple(
        dict.fromkeys([*classes, *(name for path, name in NAMES.items() if not path.startswith(below))])
    )


SCORES = ("geographic extent of lung opacity (0 to 8)", "degree of lung opacity (0 to 6)")


def records(table):
    """Rows of metadata.csv. The header's last cell is blank and some rows fill it."""
    cells = tables.rows(table, header=False, pad=True)
    names = [name.strip() or "(no name)" for name in next(cells).values()]
    for row in cells:
        yield {name: cell.strip() for name, cell in zip(names, row.values(), strict=True)}


RADIOGRAPHS = ("PA", "AP", "L", "AP Supine", "AP semi erect", "AP erect")
"""Views of radiographs."""


def modality(stated, view, table):
    """Column `modality`; early tables have the view alone, which is of a radiograph or "CT".

    Raises:
        LabelError: neither says it.
    """
    if "CT" in (stated, view):
        return "CT"
    if stated == "X-ray" or (not stated and view in RADIOGRAPHS):
        return "X-ray"
    raise LabelError(
        f"the modality is {stated!r} and the view {view!r}: neither X-ray nor CT",
        file=table.path,
        next_step="Fill the column `modality` as in the original table.",
    )


def scores(table):
    """File name -> severity scores. Lines of remarks stand above the header."""
    found = {}
    lines = [line.split(",") for line in tables.lines(table) if line[0] != "#"][1:] if table else []
    for at, (name, *cells) in enumerate(lines, 1):
        line = tables.Line(zip(SCORES, cells, strict=False), table.path, at)
        found[tables.file_name(name)] = [
            Measure(name=kind, value=line.number(kind), unit="1") for kind in SCORES
        ]
    return found


def outlines(file):
    """File name -> outlines of the right and the left lung, each with its box."""
    return {tables.file_name(name): image for name, image in coco(file).images.items()} if file else {}


def boxes(outlined):
    """Boxes of one image of `outlines`."""
    return [Box(name=one.category.lower(), box=one.box) for one in outlined.objects]


HEADER = (
    "patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,intubation_present,went_icu,in_icu,"
    "needed_supplemental_O2,extubated,temperature,pO2_saturation,leukocyte_count,neutrophil_count,"
    "lymphocyte_count,view,modality,date,location,folder,filename,doi,url,license,clinical_notes,other_notes,"
).split(",")
"""The table's header: 29 names, and a thirtieth that is empty."""
_FILLED = "patientid,offset,finding,view,modality,folder,filename,license,clinical_notes,".split(",")


def cells(line):
    """A row of a miniature's table, of the cells that it fills."""
    filled = dict(zip(_FILLED, line.split("|"), strict=False))
    return [filled.get(name) for name in HEADER]
