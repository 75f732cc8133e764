"""LUNA16, LUng Nodule Analysis 2016: 888 chest CT scans of LIDC-IDRI with 1,186 nodules.

At least three of four radiologists accepted each nodule. Candidate locations for false positive reduction and
automatic masks of the lungs come with them.
"""

from medimg.builders import _nodules
from medimg.declaration import Citation, Dataset, Evidence, Overlap, Source
from medimg.join import Join, Lookup, Partner
from medimg.schema import Row

ROOT = "1.3.6.1.4.1.14519.5.2.1.6279.6001"
# Two series of one patient, in subset2 and subset6; no other patient has two.
TWICE = dict.fromkeys(
    (f"{ROOT}.{n}" for n in (159996104466052855396410079250, 316900421002460665752357657094)),
    "LIDC-IDRI-0332",
)

DATASET = Dataset(
    name="luna16",
    title="LUNA16, LUng Nodule Analysis 2016",
    aliases=("LUNA2016", "LUng Nodule Analysis 2016"),
    dimension="3d",
    modality="CT",
    organ="lung",
    task=("detection", "classification", "segmentation"),
    license="CC-BY-4.0",
    homepage="https://luna16.grand-challenge.org/",
    citation=Citation(
        title="Validation, comparison, and combination of algorithms for automatic detection of pulmonary "
        "nodules in computed tomography images: the LUNA16 challenge",
        authors="Setio AAA, Traverso A, de Bel T, et al.",
        venue="Medical Image Analysis 42:1-13",
        year=2017,
        doi="10.1016/j.media.2017.06.015",
    ),
    sources=(
        Source(url="https://luna16.grand-challenge.org/Download/", kind="page"),
        Source(url="https://zenodo.org/record/3723295", kind="page"),
        Source(url="https://zenodo.org/record/4121926", kind="page"),
    ),
    legend={3: ("lung",), 4: ("lung",), 5: ("trachea",)},
    labels={"annotations.csv": "lung nodule"},
    splits={"train": 888},
    no_subject="the files carry the SeriesInstanceUID alone, which LIDC-IDRI's rows have with their patient; every "
    "scan is of another one but two of LIDC-IDRI-0332, in subset2 and subset6, which alone have a subject here",
    overlaps=(
        Overlap(dataset="lidc-idri", relation="subset of", evidence="https://luna16.grand-challenge.org/Data/"),
        Overlap(
            dataset="lung-nodule-malignancy",
            relation="source of",
            evidence="https://easymed.ai/datasets/GeorgeSullivan/LungNoduleMalignancy",
        ),
    ),
    keys="SeriesInstanceUID; subset; candidates_V2.csv; candidates.csv",
    evidence=Evidence(
        layout="https://luna16.grand-challenge.org/Data/; https://github.com/tomas-janicek/luna16 (the two "
        "records at Zenodo)",
        labels="https://luna16.grand-challenge.org/Data/ (centers in world mm, diameters); "
        "zhaoziheng/SAT-DS@492df0e loader.py and two more public readers (mask values 3, 4, 5)",
        license="https://luna16.grand-challenge.org/Data/ (CC BY 4.0; the LIDC images CC BY 3.0)",
        subject="idc-index-data 25.0.5, collection lidc_idri (all 888 series are found there)",
    ),
    notes=(
        "The ten subsets are the official folds of a cross-validation (`meta.subset`). Patient "
        "LIDC-IDRI-0332 is in two of them.",
        "Mask values 3 and 4 are one lung each; public readers disagree which is the left one, so both are "
        "named lung. The masks are automatic and no reference for segmentation.",
        "Boxes are cubes of the nodule's diameter around its center, not outlines.",
        "Findings that fewer than three radiologists accepted are not in `boxes`; annotations_excluded.csv, "
        "where the copy has it, is in `label.source` with the candidates.",
    ),
    bad_files="quarantine",
)


def row(case):
    source, nodules = case.stated or ({}, ())
    assessed = ["lung nodule"]
    if case.lungs:
        assessed += ["lung", "trachea"]
    meta = {"SeriesInstanceUID": case.series}
    if case.subset:
        meta["subset"] = int(case.subset)
    return Row(
        id=case.series,
        subject=TWICE.get(case.series),
        image=case.image,
        mask=case.lungs,
        assessed=assessed,
        source=source,
        meta=meta,
        **_nodules.label(case.image, nodules),
    )


rows = Join(
    # A copy of one subset may have it at the root.
    r"(?:(?:^|/)subset(?P<subset>\d)/|^)(?P<series>[\d.]+)\.mhd$",
    row,
    lungs=Partner(
        r"seg-lungs[^/]*/(?P<series>[\d.]+)\.mhd$",
        tell="its lung mask is not in this copy",
        lost="lung masks are",
        orphan="a lung mask whose scan is not in this copy",
    ),
    stated=Lookup(_nodules.by_series, "series"),
)


def miniature(make):
    first, second, third = (f"{ROOT}.{n}" for n in (105756658031515062000744821260, 1111721656746612, 27))
    # Some scans lie the other way round.
    turned = {"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1), "origin": (50, 60, -70)}
    scans = {first: (0, {}), second: (0, turned), third: (7, {"spacing": (0.7, 0.7, 1.25)})}
    scans |= {series: (subset, {}) for subset, series in zip((2, 6), TWICE, strict=True)}
    lungs = {"labels": (3, 4, 5), "nested": False, "data_suffix": ".zraw"}
    for subset in (0, 2, 6, 7):
        with make.zip(f"subset{subset}.zip") as inner:
            for series, (place, geometry) in scans.items():
                if place == subset:
                    inner.metaimage(f"subset{subset}/{series}.mhd", (16, 14, 8), **geometry)
    with make.zip("seg-lungs-LUNA16.zip") as inner:
        for series, (_, geometry) in scans.items():
            inner.metaimage(f"seg-lungs-LUNA16/{series}.mhd", (16, 14, 8), **lungs, **geometry)
    head = ["seriesuid", "coordX", "coordY", "coordZ"]
    nodules = [(first, -43.5, -54.25, -62, 4.5), (first, -38, -50, -60, 6.25), (second, 43, 53, -62, 5.0)]
    make.csv("annotations.csv", [*head, "diameter_mm"], nodules)
    make.csv("candidates.csv", [*head, "class"], [(first, -43.1, -54, -62.2, 1), (third, -45, -56, -65, 0)])
    with make.zip("candidates_V2.zip") as inner:
        more = [(first, -43.1, -54, -62.2, 1), (second, 42, 51, -61, 0)]
        inner.csv("candidates_V2.csv", [*head, "class"], more)
