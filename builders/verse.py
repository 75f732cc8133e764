"""VerSe, the Large Scale Vertebrae Segmentation Challenge of 2019 and 2020, in its restructured release.

Spine CT of several sites and scanners; every visible vertebra is named, outlined and has its centroid.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.errors import LabelError
from medimg.join import Join, Partner
from medimg.readers import nifti, tables
from medimg.schema import Point, Row

ARCHIVES = [f"dataset-verse{year}{part}" for year in (19, 20) for part in ("training", "validation", "test")]
LEVELS = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 7)]
SPLITS = {"training": "train", "validation": "validation", "test": "test"}
CASE = r"(?:^|/)(?P<name>sub-[^/]+?)"
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
        *(Source(url=f"https://s3.bonescreen.de/public/VerSe-complete/{archive}.zip") for archive in ARCHIVES),
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


def row(case):
    if case.part is None:
        return case.skip("no folder (…training, …validation, …test) says of which split it is")
    stated = tables.json_value(case.centroids) if case.centroids else []
    return Row(
        id=case.name,
        split=SPLITS[case.part],
        subject=case.name.partition("_")[0],
        image=case.image,
        mask=case.mask,
        points=points(stated, case.image, DATASET.legend),
        source=stated or None,
        meta=tables.json_value(case.scanner) if case.scanner else {},
    )


rows = Join(
    r"(?:(?P<part>training|validation|test)/(?:.*/)?|/|^)(?P<name>sub-[^/]+?)_ct\.nii\.gz$",
    row,
    mask=Partner(
        CASE + r"_seg-vert_msk\.nii\.gz$",
        skip="the scan's vertebra mask is not in this copy",
        orphan="a vertebra mask whose CT is not in this copy",
    ),
    centroids=Partner(
        CASE + r"_seg-subreg_ctd\.json$",
        tell="its centroids are not in this copy",
        lost="centroids of the vertebrae are",
    ),
    scanner=Partner(
        CASE + r"_ct\.json$",
        tell="what its scanner says is not in this copy",
        lost="scanners are",
    ),
    left=[
        (CASE + r"_seg-vert_snp\.png$", "a preview drawn from scan and mask, no image of its own"),
        (
            r"(?:^|/)(?:GL|verse)\d+[^/]*\.(?:nii\.gz|png)$",
            "of the series of the MICCAI challenges: the restructured release has it",
        ),
    ],
)


def points(stated, image, legend):
    """Centroids as points along the image's own axes. Only the image's header is read.

    Args:
        stated: [{"direction": ["P", "I", "R"]}, {"label": 20, "X": 63.2, "Y": 141.9, "Z": 31.8}, …]: voxels,
            counted from the center of the first one towards posterior, inferior and right. Centroids that are
            no numbers are left out.
        image: the volume.
        legend: label -> names.

    Raises:
        LabelError: unknown axes or an unknown label.
    """
    if not stated:
        return ()
    grid = nifti.volume(image).grid()
    columns = [[float(grid.affine[world][axis]) for world in range(3)] for axis in range(3)]
    along = [max(range(3), key=lambda world, column=column: abs(column[world])) for column in columns]
    counted = next((one["direction"] for one in stated if "direction" in one), ())
    source = {"RLAPSI".find(code) // 2: (code in "RAS", key) for code, key in zip(counted, "XYZ", strict=False)}
    if {*along} != {0, 1, 2} or source.keys() != {0, 1, 2}:
        raise LabelError(f"centroids along {counted} cannot be turned to the axes of this image", file=image.path)
    found = []
    for one in stated:
        if "label" not in one or any(one[key] != one[key] for key in "XYZ"):
            continue
        if one["label"] not in legend:
            raise LabelError(f"a centroid has the label {one['label']}, which is not known", file=image.path)
        point = []
        for world, column, size in zip(along, columns, grid.shape, strict=True):
            upward, key = source[world]
            point.append(one[key] if upward == (column[world] > 0) else size - 1 - one[key])
        found.append(Point(name=legend[one["label"]][0], point=tuple(point)))
    return tuple(found)


def miniature(make):
    pir = [[0, 0, 2, -7], [-1, 0, 0, 21], [0, -1, 0, -80], [0, 0, 0, 1]]
    las = [[-1, 0, 0, 5], [0, 1, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]
    # The last one's centroids are counted along other axes than its image's.
    for archive, folder, affine, labels, cases in (
        ("19training", "verse19training", pir, (20, 21), ["sub-verse004"]),
        (
            "19validation",
            "verse19validation",
            pir,
            (1, 19),
            [f"sub-verse400_split-verse{n}" for n in (290, 155)],
        ),
        ("20test", "03test", las, (28, 8), ["sub-gl195_dir-ax"]),
    ):
        with make.zip(f"dataset-verse{archive}.zip") as inner:
            for case in cases:
                raw, drawn = (
                    f"dataset-{folder}/{part}/{case.partition('_')[0]}" for part in ("rawdata", "derivatives")
                )
                inner.nifti(f"{raw}/{case}_ct.nii.gz", (10, 14, 8), affine=affine, high=1200)
                inner.json(f"{raw}/{case}_ct.json", {"KVP": "120", "Manufacturer": "Philips"})
                mask = {"affine": affine, "labels": labels, "dtype": "float64", "nested": False}
                inner.nifti(f"{drawn}/{case}_seg-vert_msk.nii.gz", (10, 14, 8), **mask)
                centroids = [{"label": label, "X": 2.5, "Y": 4.1 + n, "Z": 3} for n, label in enumerate(labels)]
                lost = {"label": 24, "X": float("nan"), "Y": float("nan"), "Z": float("nan")}
                inner.json(f"{drawn}/{case}_seg-subreg_ctd.json", [{"direction": list("PIR")}, *centroids, lost])
                inner.image(f"{drawn}/{case}_seg-vert_snp.png", (16, 12), mode="RGB")
    # The same scans as the challenge had them, under other names.
    challenge = "verse20_miccai_challenge/03_test/GL195/GL195_CT_ax"
    make.nifti(f"{challenge}.nii.gz", (10, 14, 8), affine=las, high=1200)
    make.nifti(f"{challenge}_seg.nii.gz", (10, 14, 8), affine=las, labels=(28, 8))
    make.json(f"{challenge}_iso-ctd.json", [{"direction": list("LPS")}, {"label": 28, "X": 2, "Y": 3, "Z": 4}])
    make.image(f"{challenge}.png", (16, 12), mode="RGB")
