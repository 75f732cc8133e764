"""Tianchi lung nodule detection 2017: low-dose chest CT of 1,000 patients with world positions of nodules.

First season of the Tianchi Medical AI Competition; files and tables are in the manner of LUNA16.
"""

from medimg.builders import _nodules
from medimg.declaration import Citation, Dataset, Evidence, Part, Source
from medimg.readers import tables
from medimg.schema import Row, Skipped

HOME = "https://tianchi.aliyun.com/competition/entrance/231601/introduction"
SPLITS = {"train": "train", "val": "validation", "test": "test"}

DATASET = Dataset(
    name="tianchi-lung-nodule",
    title="Tianchi Medical AI Competition, season 1: pulmonary nodule detection",
    aliases=("Tianchi lung nodule", "天池肺结节比赛", "天池肺部结节"),
    dimension="3d",
    modality="CT",
    organ="lung",
    task="detection",
    license="LicenseRef-Tianchi",
    access="registration",
    how=f"Register at {HOME}, download the subsets and the csv folder, and pass their folder as source=",
    citation=Citation(
        title="Tianchi Medical AI Competition, season 1: pulmonary nodule detection",
        authors="Alibaba Tianchi",
        venue="Tianchi",
        year=2017,
        url=HOME,
    ),
    sources=(Source(url=HOME, kind="page"),),
    parts=(Part(names="lung nodule"),),
    splits={"train": 600, "validation": 200, "test": 200},
    subject="LKDS-#####: one patient, and the file's name",
    keys="annotations.csv",
    evidence=Evidence(
        layout="programs of seven participants, found by string (train_subset00 to 14, val_subset02 to 04, "
        "test_subset00 to 04, or LKDS_MHD_TRAIN, _VAL and _TEST, with LKDS-00001.mhd; csv/train/annotations.csv and "
        "seriesuids.csv, csv/val/annotations.csv); liuyonglog/First_AI_of_medical_treatment_of_tianchi (600 scans "
        "for training; how the others of the 1,000 are split was not found)",
        labels="https://codetd.com/article/5346452 (seriesuid, coordX, coordY, coordZ, diameter_mm as LUNA16); "
        "http://rhkb.cn/news/303095.html (every scan for training and validation has nodules)",
        license="unverified: terms for participants, not seen",
        subject="https://codetd.com/article/5346452",
    ),
    notes=(
        "Every patient of the first round has nodules: there are no negatives.",
        "The competition's text prints LKDS_00001, files say LKDS-00001; rows take the latter.",
        "Boxes are cubes of the nodule's diameter around its center.",
    ),
    bad_files="quarantine",
)


def rows(files):
    nodules, listed = stated(files)
    used = set()
    # Subsets are called train_subset00 or LKDS_MHD_TRAIN; where no folder tells, the tables do.
    place = r"(?i)(?:(?:^|/)(?:LKDS_MHD_)?(train|val|test)[^/]*/(?:.*/)?)?(LKDS[-_]\d+)\.mhd$"
    for image, part, name in files.match(place):
        series = name.replace("_", "-")
        part = part or listed.get(series)
        if part is None:
            yield Skipped(file=image, reason="neither a folder nor a table says of which part it is")
            continue
        used.add(series)
        lines = nodules.get(series, ())
        if not lines and part.lower() != "test":
            reason = "no table in this copy has a nodule of it, and every patient has some: they are not known"
            files.tell(image, reason)
        with files.row(image):
            yield Row(
                id=series,
                split=SPLITS[part.lower()],
                subject=series,
                image=image,
                # Every patient has nodules: without a line they are unknown, not absent.
                assessed=("lung nodule",) if lines else (),
                source={"annotations.csv": [_nodules.text(line)[1] for line in lines]} if lines else None,
                **_nodules.label(image, lines),
            )
    for _ in nodules.keys() - used:
        files.tell("annotations.csv", "lines of nodules whose scan is not in this copy")


def stated(files):
    """Series -> lines of its nodules, and series -> part."""
    nodules, listed = {}, {}
    for table, part in files.match(r"(?:(train|val|test)[^/]*/)?annotations\.csv$"):
        for line in tables.rows(table, columns=_nodules.COLUMNS):
            series = _nodules.series_of(line).replace("_", "-")
            listed.setdefault(series, part)
            nodules.setdefault(series, []).append(line)
    if not nodules:
        files.need(r"annotations\.csv$", next_step="put the csv folder beside the scans: it has the nodules")
    return nodules, listed


def miniature(make):
    head = ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
    scans = {"train": ("LKDS-00001", "LKDS-00228"), "val": ("LKDS-00012",), "test": ("LKDS-00602",)}
    for part, names in scans.items():
        with make.zip(f"{part}_subset00.zip") as inner:
            for number, name in enumerate(names):
                suffix = ".zraw" if number else ".raw"
                inner.metaimage(f"{name}.mhd", (16, 14, 8), spacing=(0.8, 0.8, 1.0), data_suffix=suffix)
    nodules = [("LKDS-00001", -43.5, -54.25, -66, 4.5), ("LKDS_00228", -44, -55, -67, 5.1)]
    make.csv("csv/train/annotations.csv", head, [*nodules, ("LKDS-00001", -42, -52, -65, 3.25)])
    make.csv("csv/val/annotations.csv", head, [("LKDS-00012", -44, -55, -64, 5.0)])
    make.csv("csv/train/seriesuids.csv", None, [("LKDS-00001",), ("LKDS-00228",)])
