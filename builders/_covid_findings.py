"""Findings of the COVID-19 Image Data Collection, which other collections took over.

They are paths such as Pneumonia/Viral/COVID-19 in later tables, the last part alone in early ones.
"""

from medimg.errors import LabelError

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
_ENDS = {path.rsplit("/", 1)[-1].lower(): path for path in LABELS}


def read(cell):
    """What a cell of column `finding` says.

    Args:
        cell: one finding or several, separated by commas.

    Returns:
        (classes: every level of what is found, assessed: classes and what is absent). Kinds of a group that is
        named alone (Pneumonia, Pneumonia/Bacterial) are neither. Nothing is assessed where the cell is blank,
        "todo" or "Unknown".
    """
    paths = []
    for part in filter(None, (part.strip() for part in cell.split(","))):
        path = part if part in LABELS else _ENDS.get(part.lower())
        if path is None:
            raise LabelError(
                f"finding {part!r} is not in the table", next_step="Add it to _covid_findings.py."
            )
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
