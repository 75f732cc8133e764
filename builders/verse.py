"""VerSe, the Large Scale Vertebrae Segmentation Challenge (2019 and 2020, restructured release): spine CT of several
sites and scanners in which every visible vertebra is labeled, with its mask and its centroid."""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.errors import LabelError
from medimg.readers import nifti, tables
from medimg.schema import Point, Row, Skipped

HOST = "https://s3.bonescreen.de/public/VerSe-complete"
ARCHIVES = [f"dataset-verse{year}{part}" for year in (19, 20) for part in ("training", "validation", "test")]
LEVELS = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 7)]
SPLITS = {"training": "train", "validation": "validation", "test": "test", None: "train"}
CASE = r"(?:^|/)(sub-[^/]+?)"

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
    evidence=Evidence(
        layout="anjany/verse:README.md@02b292b; folders inside the 2020 archives (dataset-01training, …) as public "
        "loaders read them",
        labels="anjany/verse:README.md@02b292b and utils/data_utilities.py@4d6365f (v_dict; axes of the centroids)",
        license="anjany/verse:README.md@02b292b (data CC BY-SA 4.0)",
        subject="anjany/verse:README.md@02b292b (374 scans of 355 patients)",
    ),
    notes=(
        "Subjects 400 to 417 of 2019 have two or three scans each (entity `split`), always in one part: these are "
        "the 19 scans more than patients.",
        "Sacrum (26) and coccyx (27) were not labeled, though the numbering reserves values for them.",
        "This is the restructured release; file names and annotations of the MICCAI challenge series on OSF differ.",
        "Centroids are those of vertebral bodies, not of the masks; they are turned from the axes that their file "
        "states to the image's.",
    ),
)


def rows(files):
    vertebrae = files.index(CASE + r"_seg-vert_msk\.nii\.gz$")
    centroids = files.index(CASE + r"_seg-subreg_ctd\.json$")
    scanners = files.index(CASE + r"_ct\.json$")
    cases = set()
    for ct, part, case in files.match(r"(?:(training|validation|test)/(?:.+/)?|(?:^|/))(sub-[^/]+?)_ct\.nii\.gz$"):
        cases.add(case)
        if case not in vertebrae:
            yield Skipped(file=ct, reason="the scan's vertebra mask is not in this copy")
            continue
        stated = tables.json_value(centroids[case]) if case in centroids else []
        yield Row(
            id=case,
            split=SPLITS[part],
            subject=case.partition("_")[0],
            image=ct,
            mask=vertebrae[case],
            points=turned(stated, ct) if stated else (),
            source=[{key: "NaN" if value != value else value for key, value in one.items()} for one in stated] or None,
            meta=(tables.json_value(scanners[case]) if case in scanners else {})
            | ({} if part else {"split": "not told by the folders of this copy"}),
        )
    for case, mask in vertebrae.items():
        if case not in cases:
            yield Skipped(file=mask, reason="a vertebra mask whose CT is not in this copy")
    for picture, _ in files.match(CASE + r"_seg-vert_snp\.png$"):
        yield Skipped(file=picture, reason="a preview drawn from scan and mask, no image of its own")


def turned(stated, ct):
    """Centroids as points along the image's own axes; the file states along which axes it counts."""
    grid = nifti.volume(ct).grid()
    steps = [[float(grid.affine[row][axis]) for row in range(3)] for axis in range(3)]
    largest = [max(range(3), key=lambda row, step=step: abs(step[row])) for step in steps]
    image = [("RAS" if step[n] > 0 else "LPI")[n] for step, n in zip(steps, largest, strict=True)]
    source = next(one["direction"] for one in stated if "direction" in one)
    place = ["RL".find(axis) >= 0 and 0 or "AP".find(axis) >= 0 and 1 or 2 for axis in source]
    if sorted(largest) != [0, 1, 2] or sorted(place) != [0, 1, 2]:
        raise LabelError(f"centroids along {source} cannot be turned to the image's axes {image}", file=ct.path)
    points = []
    for one in stated:
        if "label" in one and one["X"] == one["X"]:
            along = {place[n]: (source[n], one[axis]) for n, axis in enumerate("XYZ")}
            point = [
                along[n][1] if along[n][0] == own else size - 1 - along[n][1]
                for n, own, size in zip(largest, image, grid.shape, strict=True)
            ]
            points.append(Point(name=DATASET.legend[one["label"]][0], point=tuple(point)))
    return points
