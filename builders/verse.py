"""VerSe, the Large Scale Vertebrae Segmentation Challenge of 2019 and 2020, in its restructured release.

Spine CT of several sites and scanners; every visible vertebra is named, outlined and has its centroid.
"""

from medimg.builders import _centroids
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import tables
from medimg.schema import Row, Skipped

HOST = "https://s3.bonescreen.de/public/VerSe-complete"
ARCHIVES = [f"dataset-verse{year}{part}" for year in (19, 20) for part in ("training", "validation", "test")]
LEVELS = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 7)]
SPLITS = {"training": "train", "validation": "validation", "test": "test"}
CASE = r"(?:^|/)(sub-[^/]+?)"
README = "anjany/verse:README.md@02b292b"

DATASET = Dataset(
    name="verse",
    title="VerSe, Large Scale Vertebrae Segmentation Challenge (2019 and 2020)",
    aliases=("VerSe'19", "VerSe'20", "VerSe2019", "VerSe2020"),
    dimension="3d",
    modality="CT",
    organ="spine",
    task=("segmentation", "anatomical labeling", "landmark localization"),
    license="CC-BY-SA-4.0",
    homepage="https://github.com/anjany/verse",
    citation=Citation(
        title="VerSe: A vertebrae labelling and segmentation benchmark for multi-detector CT images",
        authors="Sekuboyina A, Husseini ME, Bayat A, et al.",
        venue="Medical Image Analysis 73:102166",
        year=2021,
        doi="10.1016/j.media.2021.102166",
    ),
    sources=(
        *(Source(url=f"{HOST}/{archive}.zip") for archive in ARCHIVES),
        Source(url="https://osf.io/nqjyw/", kind="page"),
        Source(url="https://osf.io/t98fz/", kind="page"),
    ),
    legend={n: (f"{level} vertebra",) for n, level in enumerate(LEVELS, 1)} | {28: ("T13 vertebra",)},
    splits={"train": 141, "validation": 120, "test": 113},
    subject="sub-<id> of the file name, without the entities split and dir",
    keys="direction; label; X; Y; Z; ManufacturersModelName",
    evidence=Evidence(
        layout=f"{README}; dadrobny/SegQC-xnat:docs/aide/dataset-verse19.md@ac45c7d (files of 2019, listed)",
        labels=f"{README}; anjany/verse:utils/data_utilities.py@4d6365f (v_dict; axes of the centroids)",
        license=f"{README} (data CC BY-SA 4.0)",
        subject=f"{README} (374 scans of 355 patients); dadrobny/SegQC-xnat, as above (split entity)",
    ),
    notes=(
        "Subjects 400 to 417 have two or three scans each (entity `split`), all in one part of 2019.",
        "Sacrum (26) and coccyx (27) were not labeled, though the numbering reserves values for them.",
        "The MICCAI challenge series on OSF have other file names and annotations; they are not read here.",
        "Points are centroids of vertebral bodies, turned from the axes their file states to the image's.",
    ),
)


def rows(files):
    vertebrae = files.index(CASE + r"_seg-vert_msk\.nii\.gz$")
    centroids = files.index(CASE + r"_seg-subreg_ctd\.json$", lost="centroids of the vertebrae are")
    scanners = files.index(CASE + r"_ct\.json$")
    scans = files.index(CASE + r"_ct\.nii\.gz$")
    parts = dict(files.match(r"(training|validation|test)/.*_ct\.nii\.gz$"))
    for case, ct in scans.items():
        if case not in vertebrae:
            yield Skipped(file=ct, reason="the scan's vertebra mask is not in this copy")
            continue
        if ct not in parts:
            yield Skipped(
                file=ct, reason="no folder (…training, …validation, …test) says of which split it is"
            )
            continue
        if centroids and case not in centroids:
            files.tell(ct, "its centroids are not in this copy")
        if scanners and case not in scanners:
            files.tell(ct, "what its scanner says is not in this copy")
        with files.row(ct):
            stated = tables.json_value(centroids[case]) if case in centroids else []
            meta = tables.json_value(scanners[case]) if case in scanners else {}
            yield Row(
                id=case,
                split=SPLITS[parts[ct]],
                subject=case.partition("_")[0],
                image=ct,
                mask=vertebrae[case],
                points=_centroids.points(stated, ct, DATASET.legend),
                source=stated or None,
                meta=meta,
            )
    for case, mask in vertebrae.items():
        if case not in scans:
            yield Skipped(file=mask, reason="a vertebra mask whose CT is not in this copy")
    for picture, _ in files.match(CASE + r"_seg-vert_snp\.png$"):
        yield Skipped(file=picture, reason="a preview drawn from scan and mask, no image of its own")
    for file, _ in files.match(r"(?:^|/)(GL|verse)\d+[^/]*\.(?:nii\.gz|png)$"):
        yield Skipped(
            file=file, reason="of the series of the MICCAI challenges: the restructured release has it"
        )


def miniature(make):
    _centroids.miniature(make)
