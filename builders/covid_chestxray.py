"""COVID-19 Image Data Collection: chest X-rays and CT of COVID-19 and of other pneumonias.

They were collected from publications and web sites in 2020 (ieee8023/covid-chestxray-dataset), each with its
own license and clinical notes.
"""

from medimg import licenses
from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.errors import LabelError
from medimg.readers import masks, table_lines, tables
from medimg.readers.boxes import coco
from medimg.schema import Box, Measure, Row, skipped

REPOSITORY = "ieee8023/covid-chestxray-dataset"
GROUPS = {
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
    for group, cells in GROUPS.items()
    for part, name in (cell.split("=") for cell in cells.split(", "))
}
"""Path -> canonical name of its last part."""


def levels(path):
    parts = path.split("/")
    return tuple(dict.fromkeys(NAMES["/".join(parts[:end])] for end in range(1, len(parts) + 1)))


LABELS = {path: levels(path) for path in NAMES} | {
    "Mycoplasma Bacterial Pneumonia": levels("Pneumonia/Bacterial/Mycoplasma"),
    "todo": (),
    "Unknown": (),
}
"""Path -> canonical names of all its levels, for `Dataset.labels`."""
FOUND = tuple(dict.fromkeys(name for names in LABELS.values() for name in names))
LUNGS = ("left lung", "right lung")
"""Of the boxes."""
ENDS = {path.rsplit("/", 1)[-1].lower(): path for path in LABELS}
SCORES = ("geographic extent of lung opacity (0 to 8)", "degree of lung opacity (0 to 6)")
RADIOGRAPHS = ("PA", "AP", "L", "AP Supine", "AP semi erect", "AP erect")
"""Views of radiographs."""
HEADER = (
    "patientid,offset,sex,age,finding,RT_PCR_positive,survival,intubated,intubation_present,went_icu,in_icu,"
    "needed_supplemental_O2,extubated,temperature,pO2_saturation,leukocyte_count,neutrophil_count,"
    "lymphocyte_count,view,modality,date,location,folder,filename,doi,url,license,clinical_notes,other_notes,"
).split(",")
"""The table's header: 29 names, and a thirtieth that is empty."""
FILLED = "patientid,offset,finding,view,modality,folder,filename,license,clinical_notes,".split(",")

DATASET = Dataset(
    name="covid-chestxray",
    title="COVID-19 Image Data Collection",
    aliases=(REPOSITORY, "IEEE8023 COVID ChestXray"),
    dimension="2d",
    modality=("X-ray", "CT"),
    organ="lung",
    task=("classification", "prognosis"),
    license="LicenseRef-per-row",
    citation=Citation(
        title="COVID-19 Image Data Collection: prospective predictions are the future",
        authors="Cohen JP, Morrison P, Dao L, Roth K, Duong TQ, Ghassemi M",
        venue="arXiv:2006.11988",
        year=2020,
        doi="10.48550/arXiv.2006.11988",
    ),
    sources=(
        Source(url=f"https://github.com/{REPOSITORY}", kind="page"),
        Source(url="https://academictorrents.com/details/136ffddd0959108becb2b3a86630bec049fcb0ff", kind="page"),
    ),
    legend={1: ("lung",)},
    labels=LABELS,
    configs=(
        Config(name="images", title="X-rays, and CT slices as pictures"),
        Config(name="volumes", title="CT volumes", dimension="3d", modality="CT"),
    ),
    parts=(
        Part(config="images", modality="X-ray", legend={1: ("lung",)}, names=(*FOUND, *LUNGS)),
        Part(config="images", modality="CT"),
        Part(config="volumes"),
    ),
    splits={"train": 0},
    subject="column patientid of metadata.csv",
    keys=(
        "patientid; offset; view; folder; filename; license; clinical_notes; finding; sex; age; "
        "RT_PCR_positive; survival; intubated; intubation_present; went_icu; in_icu; "
        "needed_supplemental_O2; extubated; temperature; pO2_saturation; leukocyte_count; "
        "neutrophil_count; lymphocyte_count; date; doi; url; other_notes"
    ),
    evidence=Evidence(
        layout=f"{REPOSITORY}:SCHEMA.md@009b74a7, annotations/, volumes/DOWNLOAD.md@6ed52481; metadata.csv "
        "in three ages: @015fca02, yf0cheng/pyclass-demo@c1866a3d, @6a424234 (header)",
        labels=f"column finding of the tables; {REPOSITORY}:README.md@00891cd9 counts every finding not "
        "named as 0; raghavian/lungVAE:predict.py@134f9304 (masks of 0 and 255 on the image's own grid)",
        license=f"{REPOSITORY}:README.md (license section) and column license of metadata.csv",
        subject=f"{REPOSITORY}:SCHEMA.md@009b74a7",
    ),
    notes=(
        "Every row states its own license. Where metadata.csv leaves it blank the image is never published "
        "and loads from your own copy alone. Severity scores are CC BY-SA, lung boxes CC BY 4.0.",
        "A row that names only a group (Pneumonia, Bacterial) says nothing of its kinds: they are not in "
        "`assessed`. The findings todo and Unknown assess nothing.",
        "Lung masks were made by a program (lungVAE), not by people.",
        "Most images are figures of publications: scale, windowing and crop are unknown.",
    ),
    bad_files="quarantine",
)


def rows(files):
    images = files.index(r"(?:^|/)((?:images|volumes)/[^/]+)$")
    lungs = files.index(r"lungVAE-masks/(.+)_mask\.png$", lost="masks of the lungs are")
    boxed = files.find(r"lung_bounding_boxes\.json$", lost="boxes of the lungs are")
    outlined = coco(boxed).images if boxed else {}
    scored = scores(files.find(r"covid-severity-scores\.csv$", lost="severity scores are"))
    table = files.need(r"(?:^|/)metadata\.csv$")
    for line in tables.rows(table, pad=True):
        said = {name or "(no name)": cell.strip() for name, cell in line.items()}
        get = {name.lower(): cell for name, cell in said.items()}.get  # the case of names changed over time
        image = images.pop(f"{get('folder') or 'images'}/{get('filename')}", None)
        if image is None:
            files.tell(table, "a line of the table is no row: its image is not in this copy")
            continue
        mask, outline = lungs.pop(image.stem, None), outlined.get(image.key)
        with files.row(image):
            classes, assessed = findings(get("finding") or "")
            boxes = [Box(name=one.category.lower(), box=one.box) for one in outline.objects] if outline else []
            if mask:
                assessed += ("lung",)
            yield Row(
                id=image.key,
                config="volumes" if image.suffix in (".nii", ".nii.gz") else "images",
                subject=get("patientid"),
                image=image,
                modality=modality(get("modality"), get("view"), table),
                license=licenses.normalize(get("license") or "") or licenses.UNKNOWN,
                classes=classes,
                assessed=tuple(dict.fromkeys((*assessed, *(box.name for box in boxes)))),
                mask=masks.mask(mask, {0: 0, 255: 1}) if mask else None,
                boxes=boxes,
                drawn_on=outline.size if outline else None,
                measures=scored.get(image.key, ()),
                source={"finding": get("finding")},
                meta={name: cell for name, cell in said.items() if cell and name.lower() != "finding"},
            )
    yield from skipped(images.values(), "metadata.csv has no row for it")
    yield from skipped(lungs.values(), "a lung mask whose image is not in this copy, or not in metadata.csv")


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
        path = part if part in LABELS else ENDS.get(part.lower())
        if path is None:
            raise LabelError(f"finding {part!r} is not in the table", next_step="Add it to GROUPS of the builder.")
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
        line = table_lines.Line(zip(SCORES, cells, strict=False), table.path, at)
        found[tables.file_name(name)] = [Measure(name=kind, value=line.number(kind), unit="1") for kind in SCORES]
    return found


def cells(line):
    """A row of a miniature's table, of the cells that it fills."""
    filled = dict(zip(FILLED, line.split("|"), strict=False))
    return [filled.get(name) for name in HEADER]


def miniature(make):
    table = (
        "2|0|Pneumonia/Viral/COVID-19|PA|X-ray|images|a.jpeg|CC BY-NC-SA|fever, cough",
        "2|3|COVID-19, ARDS|AP Supine|X-ray|images|b.png| ||Credit to a reader",
        "4||Pneumonia/Bacterial|L|X-ray|images|c.jpg |CC BY 3.0",
        "5||todo|Axial|CT|images|d.jpg|Apache 2.0",
        "5||Unknown|PA|X-ray|images|e.jpg|",
        "7||No Finding|PA|X-ray|images|f.jpg|CC BY 3.0",
        "6||Mycoplasma Bacterial Pneumonia|PA|X-ray|images|absent.jpg|",
        "119|0|COVID-19|Axial|CT|volumes|coronacases_org_001.nii.gz|Apache 2.0",
    )
    make.csv("metadata.csv", HEADER, map(cells, table), newline="\r\n")
    for name in ("a.jpeg L", "b.png RGBA", "c.jpg RGB", "d.jpg L", "e.jpg L", "f.jpg L", "unlisted.png L"):
        make.image(f"images/{name.split()[0]}", mode=name.split()[1])
    make.nifti("volumes/coronacases_org_001.nii.gz")
    make.image("annotations/lungVAE-masks/a_mask.png", labels=(255,))
    scores = "## License: CC BY-SA\nfilename,geographic_mean,opacity_mean\na.jpeg,6.0,4.0\n"
    make.text("annotations/covid-severity-scores.csv", scores)
    image = {"id": 7, "file_name": "a.jpeg", "height": 40, "width": 48}
    lungs = [{"id": n, "name": f"{side} Lung"} for n, side in ((1, "Right"), (2, "Left"))]
    boxes = [{"id": n, "image_id": 7, "category_id": n, "bbox": [20 * n - 16, 5, 12, 30]} for n in (1, 2)]
    outlines = {"images": [image], "categories": lungs, "annotations": boxes}
    make.json("annotations/imageannotation_ai_lung_bounding_boxes.json", outlines)
