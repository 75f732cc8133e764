"""COVID-19 Image Data Collection: chest X-rays and CT of COVID-19 and of other pneumonias.

They were collected from publications and web sites in 2020 (ieee8023/covid-chestxray-dataset), each with its
own license and clinical notes.
"""

from medimg import licenses
from medimg.builders import _covid
from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.readers import masks
from medimg.schema import Row, Skipped

REPOSITORY = "ieee8023/covid-chestxray-dataset"
HOME = f"https://github.com/{REPOSITORY}"
TORRENT = "136ffddd0959108becb2b3a86630bec049fcb0ff"

DATASET = Dataset(
    name="covid-chestxray",
    title="COVID-19 Image Data Collection",
    aliases=(REPOSITORY, "IEEE8023 COVID ChestXray"),
    dimension="2d",
    modality=("X-ray", "CT"),
    organ="lung",
    task=("classification", "prognosis"),
    license="LicenseRef-per-row",
    homepage=HOME,
    citation=Citation(
        title="COVID-19 Image Data Collection: prospective predictions are the future",
        authors="Cohen JP, Morrison P, Dao L, Roth K, Duong TQ, Ghassemi M",
        venue="arXiv:2006.11988",
        year=2020,
        doi="10.48550/arXiv.2006.11988",
    ),
    sources=(
        Source(url=HOME, kind="page"),
        Source(url=f"https://academictorrents.com/details/{TORRENT}", kind="page"),
    ),
    legend={1: ("lung",)},
    labels=_covid.LABELS,
    configs=(
        Config(name="images", title="X-rays, and CT slices as pictures", splits={"train": 0}),
        Config(name="volumes", title="CT volumes", dimension="3d", modality="CT", splits={"train": 0}),
    ),
    parts=(
        Part(config="images", modality="X-ray", legend={1: ("lung",)}, names=(*_covid.FOUND, *_covid.LUNGS)),
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
    outlines = _covid.outlines(files.find(r"lung_bounding_boxes\.json$", lost="boxes of the lungs are"))
    scores = _covid.scores(files.find(r"covid-severity-scores\.csv$", lost="severity scores are"))
    table = files.need(r"(?:^|/)metadata\.csv$")
    for row in _covid.records(table):
        get = {name.lower(): cell for name, cell in row.items()}.get  # the case of names changed over time
        if not (image := images.pop(f"{get('folder') or 'images'}/{get('filename')}", None)):
            files.tell(table, "a line of the table is no row: its image is not in this copy")
            continue
        mask, outlined = lungs.pop(image.stem, None), outlines.get(image.key)
        with files.row(image):
            drawn = _covid.boxes(outlined) if outlined else ()
            classes, assessed = _covid.findings(get("finding") or "")
            places = (*(("lung",) if mask else ()), *(box.name for box in drawn))
            yield Row(
                id=image.key,
                config="volumes" if image.suffix in (".nii", ".nii.gz") else "images",
                subject=get("patientid"),
                image=image,
                modality=_covid.modality(get("modality"), get("view"), table),
                license=licenses.normalize(get("license") or "") or licenses.UNKNOWN,
                classes=classes,
                assessed=tuple(dict.fromkeys((*assessed, *places))),
                mask=masks.mask(mask, {0: 0, 255: 1}) if mask else None,
                boxes=drawn,
                drawn_on=outlined.size if outlined else None,
                measures=scores.get(image.key, ()),
                source={"finding": get("finding")},
                meta={name: cell for name, cell in row.items() if cell and name.lower() != "finding"},
            )
    for image in images.values():
        yield Skipped(file=image, reason="metadata.csv has no row for it")
    for mask in lungs.values():
        yield Skipped(file=mask, reason="a lung mask whose image is not in this copy, or not in metadata.csv")


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
    make.csv("metadata.csv", _covid.HEADER, map(_covid.cells, table), newline="\r\n")
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
