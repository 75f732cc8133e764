"""COVID-CTset: CT slices of 95 persons with COVID-19 and 282 without, from one scanner in Sari, Iran.

16-bit slices of every person, and a selection of slices on which infections are clear, in five folds.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Row, Skipped

REPOSITORY = "mr7495/COVID-CTset"
HOME = f"https://github.com/{REPOSITORY}"
CODE = "mr7495/COVID-CT-Code@0ef8225 (the authors' notebooks)"
FIGSHARE = "https://figshare.com/articles"
LABELS = {"positive": "COVID-19", "covid": "COVID-19", "negative": "no COVID-19", "normal": "no COVID-19"}

DATASET = Dataset(
    name="covid-ctset",
    title="COVID-CTset",
    aliases=("COVID CTset",),
    dimension="2d",
    modality="CT",
    organ="lung",
    task="classification",
    license="LicenseRef-unknown",
    how="Download COVID-CTset.zip (and, if wanted, Training&Validation.zip and the folder CSV) with "
    f"Patient_details.csv and all.csv of {HOME}, and pass their folder as source=",
    citation=Citation(
        title="A fully automated deep learning-based network for detecting COVID-19 from a new and large lung "
        "CT scan dataset",
        authors="Rahimzadeh M, Attar A, Sakhaei SM",
        venue="Biomedical Signal Processing and Control 68:102588",
        year=2021,
        doi="10.1016/j.bspc.2021.102588",
    ),
    sources=(
        Source(url=HOME, kind="page"),
        Source(url=f"{FIGSHARE}/dataset/COVID-CTset_part1/13668596", kind="page"),
        Source(url=f"{FIGSHARE}/dataset/COVID19-CTset_part2/13669969", kind="page"),
        Source(url=f"{FIGSHARE}/figure/COVID19-CTset_parts_3_5/14174606", kind="page"),
    ),
    labels=LABELS,
    configs=(
        Config(name="raw", title="16-bit slices of every person"),
        Config(name="folds", title="Selected slices in five folds, 32-bit", splits={"train": 12058}),
    ),
    splits={"train": 63849},
    subject="patient# (normal#) of the folder's or file's name; SR_2, SR_3, SR_4 are one person",
    keys="SEX; AGE; series; thickness(mm); tables; class",
    evidence=Evidence(
        layout=f"{REPOSITORY}:README.md@03be994a, all.csv@e13fde0 (12,058 names); {CODE} (slices of the folds lie at "
        "the top of their archive, CSV/train1.csv to test5.csv list them; covid or normal, patient and SR_2 in the "
        "path of a raw slice); public code that reads COVID-CTset/covid1/patient1/SR_2/*.tif",
        labels=f"{REPOSITORY}:Patient_details.csv@432bbdc9 (COVID-19 Infection), all.csv (filename, class)",
        license=f"{REPOSITORY}:README.md@03be994a names none; the figshare records were not read",
        subject=f"{REPOSITORY}:Patient_details.csv@432bbdc9",
    ),
    notes=(
        "The class is that of the person: in `raw` most slices of an infected person show no infection.",
        "Pixels of `raw` are 0 to about 5,000, no Hounsfield units; those of `folds` were divided by each "
        "slice's own maximum and cannot be compared.",
        "Folds overlap: `folds` is one split; meta.tables names a slice's lists (train1, test2). Split by person.",
        "The README's first table mixes up patients and images. Dates of the scans are left out.",
    ),
)


def rows(files):
    people = tables.lines_by(files, r"Patient_details\.csv$", "Patient ID", named=str.lower)
    yield from raw(files, people)
    yield from folds(files, people)


def raw(files, people):
    pattern = r"(?i)(?:(?:^|/)[a-z0-9]*(covid|normal)[a-z0-9]*/)?(patient\d+)/(SR_\d+)/([^/]+)\.tiff?$"
    for image, group, person, series, name in files.stream(pattern):
        said = people.get(person.lower(), {})
        meta = {"series": series, "thickness(mm)": said.get(f"{series} Folder thickness(mm)")}
        kind = said.get("COVID-19 Infection") or group
        yield Row(
            id=f"{person}_{series}_{name}",
            config="raw",
            subject=person,
            image=image,
            meta=of_person(said) | meta,
            **label(kind),
        )


def folds(files, people):
    kinds, parts, seen = {}, {}, set()
    if table := files.find(r"(?:^|/)all\.csv$"):
        kinds = {tables.file_name(line["filename"].strip()): line["class"] for line in tables.rows(table)}
    for table, part in files.match(r"(?:^|/)((?:train|validation|test)\d)\.csv$"):
        for line in tables.rows(table):
            parts.setdefault(tables.file_name(line["filename"].strip()), []).append(part)
    pattern = r"(?i)(?:^|/)([a-z0-9]*(covid|normal)[a-z0-9]*_(patient\d+)_(SR_\d+)_[^/]+\.tiff?)$"
    for image, name, group, person, series in files.stream(pattern):
        if name in seen:
            yield Skipped(file=image, reason="the same slice stands in another folder, too")
            continue
        seen.add(name)
        meta = {"series": series, "tables": parts.get(name)}
        yield Row(
            id=image.stem,
            config="folds",
            subject=person,
            image=image,
            meta=of_person(people.get(person.lower(), {})) | meta,
            **label(kinds.get(name) or group),
        )


def of_person(said):
    return {key: said[key] for key in ("SEX", "AGE") if key in said}


def label(kind):
    """Of the class that a table or the path says; unknown where neither does."""
    if not kind:
        return {"assessed": (), "source": {"class": kind}}
    classes = DATASET.labels[kind.lower()]
    return {"classes": classes, "assessed": ("COVID-19", "no COVID-19"), "source": {"class": kind}}


def miniature(make):
    with make.zip("COVID-CTset.zip") as inner:
        for folder, person in (("covid1", "patient1"), ("normal1", "patient146")):
            for series in ("SR_2", "SR_3", "SR_4"):
                path = f"COVID-CTset/{folder}/{person}/{series}/IM00010.tif"
                inner.image(path, (24, 20), mode="I;16", high=5000)
    # Folds are lists of slices and share persons; normal slices are more for test than for training.
    slices = {"137covid_patient1": "train1 test2", "normal4_patient146": "train1 test2"}
    slices |= {"cdunnormal_patient146": "test1", "normalcd2_patient146": "test1 train2"}
    names = {f"{start}_SR_2_IM00010.tif": parts for start, parts in slices.items()}
    with make.zip("Training&Validation.zip") as inner:
        for name in names:
            inner.image(name, (24, 20), mode="F", high=1)
    kinds = [(name, "covid" if "covid" in name else "normal") for name in names]
    make.csv("all.csv", ["filename", "class"], kinds)
    for part in ("train1", "test1", "train2", "test2"):
        make.csv(f"CSV/{part}.csv", ["filename", "class"], [one for one in kinds if part in names[one[0]]])
    head = "Patient ID,SEX,AGE,Date,COVID-19 Infection,SR_2 Folder thickness(mm),SR_3 Folder thickness(mm),"
    head += "SR_4 Folder thickness(mm)"
    people = "patient1,F,053Y,20200407,Positive,4,6,1.5", "patient146,F,055Y,20200323,Negative,6,5,"
    make.csv("Patient_details.csv", head, [person.split(",") for person in people])
