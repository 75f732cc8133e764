"""COVID-19 Image Data Collection (ieee8023/covid-chestxray-dataset): chest X-rays and CT of COVID-19 and other pneumonias, collected from publications and web sites in 2020, each with its own license and clinical notes."""

from medimg import licenses
from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.errors import LabelError
from medimg.readers import masks, tables
from medimg.schema import Box, Measure, Row, Skipped

HOME = "https://github.com/ieee8023/covid-chestxray-dataset"
# Path in column `finding` -> our name of its last part. Early tables have the last part alone.
FINDINGS = {
    "Pneumonia": "pneumonia",
    "Pneumonia/Viral": "viral pneumonia",
    "Pneumonia/Viral/COVID-19": "COVID-19",
    "Pneumonia/Viral/SARS": "SARS",
    "Pneumonia/Viral/MERS-CoV": "MERS",
    "Pneumonia/Viral/Influenza": "influenza pneumonia",
    "Pneumonia/Viral/Influenza/H1N1": "influenza pneumonia",
    "Pneumonia/Viral/Herpes": "herpes pneumonia",
    "Pneumonia/Viral/Varicella": "varicella pneumonia",
    "Pneumonia/Bacterial": "bacterial pneumonia",
    "Pneumonia/Bacterial/Streptococcus": "streptococcal pneumonia",
    "Pneumonia/Bacterial/Klebsiella": "klebsiella pneumonia",
    "Pneumonia/Bacterial/Legionella": "legionella pneumonia",
    "Pneumonia/Bacterial/Mycoplasma": "mycoplasma pneumonia",
    "Pneumonia/Bacterial/E.Coli": "E. coli pneumonia",
    "Pneumonia/Bacterial/Nocardia": "nocardia pneumonia",
    "Pneumonia/Bacterial/Chlamydophila": "chlamydophila pneumonia",
    "Pneumonia/Bacterial/Staphylococcus": "staphylococcal pneumonia",
    "Pneumonia/Bacterial/Staphylococcus/MRSA": "staphylococcal pneumonia",
    "Pneumonia/Fungal": "fungal pneumonia",
    "Pneumonia/Fungal/Pneumocystis": "pneumocystis pneumonia",
    "Pneumonia/Fungal/Aspergillosis": "aspergillosis",
    "Pneumonia/Lipoid": "lipoid pneumonia",
    "Pneumonia/Aspiration": "aspiration pneumonia",
    "Tuberculosis": "tuberculosis",
    "ARDS": "acute respiratory distress syndrome",
    "No Finding": "no finding",
}
OLD = {"mycoplasma bacterial pneumonia": "Pneumonia/Bacterial/Mycoplasma"}


def _levels(path):
    """Our names of a path's levels: Pneumonia/Viral/COVID-19 is pneumonia, viral pneumonia and COVID-19."""
    parts = path.split("/")
    return tuple(dict.fromkeys(FINDINGS["/".join(parts[:end])] for end in range(1, len(parts) + 1)))


DATASET = Dataset(
    name="covid-chestxray",
    title="COVID-19 Image Data Collection",
    aliases=("ieee8023/covid-chestxray-dataset", "IEEE8023 COVID ChestXray"),
    dimension="2d",
    modality=("X-ray", "CT"),
    organ="lung",
    task=("classification", "prognosis"),
    license="LicenseRef-per-row",
    homepage=HOME,
    citation=Citation(
        title="COVID-19 Image Data Collection: prospective predictions are the future",
        authors="Cohen JP, Morrison P, Dao L, Roth K, Duong TQ, Ghassemi M",
        venue="Machine Learning for Biomedical Imaging 1:1-38; arXiv:2006.11988",
        year=2020,
        doi="10.48550/arXiv.2006.11988",
    ),
    sources=(
        Source(url=HOME, kind="page"),
        Source(url="https://academictorrents.com/details/136ffddd0959108becb2b3a86630bec049fcb0ff", kind="page"),
    ),
    labels={path: _levels(path) for path in FINDINGS} | {"todo": (), "Unknown": ()},
    configs=(
        Config(name="images", title="X-rays, and slices of CT as pictures", splits={"train": 0}),
        Config(name="volumes", title="CT volumes", dimension="3d", modality="CT", splits={"train": 0}),
    ),
    splits={"train": 0},
    subject="column patientid of metadata.csv",
    evidence=Evidence(
        layout="ieee8023/covid-chestxray-dataset:README.md@00891cd9, SCHEMA.md@009b74a7, metadata.csv@6a424234 (names of "
        "columns), annotations/; yf0cheng/pyclass-demo:covid-chestxray-dataset/metadata.csv@c1866a3d",
        labels="metadata.csv (column finding) and README.md@00891cd9, whose counts take every other finding as 0; "
        "masks: raghavian/lungVAE:predict.py@134f9304 (0 and 255 on the image's own grid)",
        license="ieee8023/covid-chestxray-dataset:README.md (license section) and column license of metadata.csv",
        subject="ieee8023/covid-chestxray-dataset:SCHEMA.md@009b74a7",
    ),
    notes=(
        "Every row states its own license; where metadata.csv leaves it blank the image is never published and loads "
        "from your own copy alone. Severity scores are CC BY-SA, lung boxes CC BY 4.0.",
        "A row that names only a group (Pneumonia, Bacterial) says nothing about its kinds: they are not in `assessed`. "
        '"todo" and "Unknown" assess nothing.',
        "Lung masks were made by a program (lungVAE), not by people.",
        "Most images are pictures taken from publications: scale, windowing and crop are unknown.",
    ),
    bad_files="quarantine",
)


def rows(files):
    pictures = files.index(r"(?:^|/)((?:images|volumes)/[^/]+)$")
    lungs = files.index(r"lungVAE-masks/(.+)_mask\.png$")
    scores, boxes = _scores(files), _boxes(files)
    table = tables.rows(files.need(r"(?:^|/)metadata\.csv$"), header=False, pad=True)
    # The header's last cell is blank and some rows fill it; names changed their case and spacing over time.
    names = [name.strip() or "(no name)" for name in next(table).values()]
    for values in table:
        row = {name: value.strip() for name, value in zip(names, values.values())}
        get = {name.lower(): value for name, value in row.items()}.get
        image = pictures.pop(f"{get('folder') or 'images'}/{get('filename')}", None)
        if image is None:
            continue
        lung = lungs.pop(image.stem, None)
        classes, assessed = _finding(get("finding", ""))
        yield Row(
            id=image.name,
            config="volumes" if image.suffix in (".nii", ".nii.gz") else "images",
            subject=get("patientid"),
            image=image,
            modality="CT" if "CT" in (get("modality"), get("view")) else "X-ray",
            license=licenses.normalize(get("license", "")) or licenses.UNKNOWN,
            classes=classes,
            assessed=dict.fromkeys([*assessed, *(("lung",) if lung else ()), *(box.name for box in boxes.get(image.name, ()))]),
            mask=masks.index(lung, {0: 0, 255: 1}) if lung else None,
            legend={1: ("lung",)} if lung else None,
            boxes=boxes.get(image.name, ()),
            measures=scores.get(image.name, ()),
            source={"finding": get("finding")},
            meta={name: value for name, value in row.items() if value and name.lower() != "finding"},
        )
    for image in pictures.values():
        yield Skipped(file=image, reason="metadata.csv has no row for it")
    for mask in lungs.values():
        yield Skipped(file=mask, reason="a lung mask without its image, or of an image that metadata.csv does not list")


def _finding(text):
    """(classes of every level, what was assessed) of a cell such as Pneumonia/Viral/COVID-19 or "COVID-19, ARDS"."""
    classes, paths = [], []
    for part in filter(None, (part.strip() for part in text.split(","))):
        ends = {path.rsplit("/", 1)[-1].lower(): path for path in DATASET.labels} | OLD
        path = part if part in DATASET.labels else ends.get(part.lower())
        if path is None:
            raise LabelError(f"finding {part!r} is not in the builder's table", next_step="Add it to FINDINGS.")
        classes.extend(DATASET.labels[path])
        paths.extend([path] if DATASET.labels[path] else [])
    known = [name for path, name in FINDINGS.items() if not any(path.startswith(f"{one}/") for one in paths)]
    return tuple(dict.fromkeys(classes)), [*classes, *known] if paths else []


def _scores(files):
    """File name -> severity scores; the table begins with lines of remarks."""
    table = files.find(r"covid-severity-scores\.csv$")
    cells = [line.rsplit(",", 2) for line in tables.lines(table) if line[0] != "#"][1:] if table else []
    kinds = ("geographic extent score of lung opacity (0-8)", "degree of lung opacity score (0-6)")
    return {c[0]: [Measure(name=k, value=float(v), unit="1") for k, v in zip(kinds, c[1:])] for c in cells}


def _boxes(files):
    """File name -> boxes of the right and the left lung."""
    file = files.find(r"lung_bounding_boxes\.json$")
    coco = tables.json_value(file) if file else {"images": (), "categories": (), "annotations": ()}
    images = {image["id"]: image["file_name"] for image in coco["images"]}
    names = {category["id"]: category["name"].lower() for category in coco["categories"]}
    found = {}
    for one in coco["annotations"]:
        x, y, width, height = one["bbox"]
        box = Box(name=names[one["category_id"]], box=(x, y, x + width, y + height))
        found.setdefault(images[one["image_id"]], []).append(box)
    return found


def miniature(make):
    head = "patientid,offset,sex,age,finding,RT_PCR_positive,view,modality,folder,filename,doi,url,license,clinical_notes,"
    table = [
        (2, 0, "M", 65, "Pneumonia/Viral/COVID-19", "Y", "PA", "X-ray", "images", "a-1.jpeg", "", "", "CC BY-NC-SA", "fever, cough", ""),
        (2, 3, "M", 65, "COVID-19, ARDS", "Y", "AP Supine", "X-ray", "images", "a-2.png", "", "", " ", "", "Credit to a reader"),
        (4, "", "F", "", "Pneumonia/Bacterial", "", "L", "X-ray", "images", "b.jpg ", "", "", "CC BY 3.0", "", ""),
        (5, "", "", "", "todo", "", "Axial", "CT", "images", "c.jpg", "", "", "Apache 2.0", "", ""),
        (6, "", "", "", "Mycoplasma Bacterial Pneumonia", "", "PA", "X-ray", "images", "absent.jpg", "", "", "", "", ""),
        (119, 0, "M", 40, "COVID-19", "Y", "Axial", "CT", "volumes", "coronacases_org_001.nii.gz", "", "", "Apache 2.0", "", ""),
    ]
    make.csv("metadata.csv", head.split(","), table)
    for name, mode in (("a-1.jpeg", "L"), ("a-2.png", "RGBA"), ("b.jpg", "RGB"), ("c.jpg", "L"), ("not-in-the-table.png", "L")):
        make.image(f"images/{name}", mode=mode)
    make.nifti("volumes/coronacases_org_001.nii.gz")
    make.image("annotations/lungVAE-masks/a-1_mask.png", labels=(255,))
    make.text("annotations/covid-severity-scores.csv", "## License: CC BY-SA\nfilename,geographic_mean,opacity_mean\na-1.jpeg,6.0,4.0\n")
    lungs = [{"id": 1, "name": "Right Lung"}, {"id": 2, "name": "Left Lung"}]
    boxes = [{"image_id": 7, "bbox": [4, 5, 12, 30], "id": 1, "category_id": 1}, {"image_id": 7, "bbox": [26, 6, 13, 28], "id": 2, "category_id": 2}]
    make.json("annotations/imageannotation_ai_lung_bounding_boxes.json",
              {"images": [{"id": 7, "file_name": "a-1.jpeg"}], "categories": lungs, "annotations": boxes})
