"""IDRiD: fundus photographs of diabetic retinopathy from an eye clinic in Nanded, India.

The three sub-challenges of 2018: lesions and optic disc outlined in 81 photographs, retinopathy and macular
edema graded in 516, and optic disc and fovea located in the same 516.
"""

from itertools import combinations

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.join import Join, Partner, lines
from medimg.readers import masks
from medimg.schema import Point, Row

HOME = "https://idrid.grand-challenge.org/"
PORT = "https://ieee-dataport.org/open-access/indian-diabetic-retinopathy-image-dataset-idrid"
COPY = "huggingface.co/datasets/amin-nejad/idrid-disease-grading"
DRAWN = {
    "MA": "microaneurysm",
    "HE": "retinal hemorrhage",
    "EX": "hard exudate",
    "SE": "soft exudate",
    "OD": "optic disc",
}
"""Ends of file names -> canonical names."""
BITS = {code: 1 << n for n, code in enumerate(DRAWN)}
MEETING = {values: sum(values) for count in range(2, len(BITS) + 1) for values in combinations(BITS.values(), count)}
"""Label values of places that several structures share."""
LEGEND = {value: tuple(DRAWN[code] for code, bit in BITS.items() if value & bit) for value in range(1, 1 << len(BITS))}
GRADES = {
    "0": "no diabetic retinopathy",
    "1": "mild nonproliferative diabetic retinopathy",
    "2": "moderate nonproliferative diabetic retinopathy",
    "3": "severe nonproliferative diabetic retinopathy",
    "4": "proliferative diabetic retinopathy",
}
RISKS = {grade: f"macular edema risk grade {grade}" for grade in "012"}
SPLITS = {"Training": "train", "Testing": "test"}
CENTER = {"OD": "optic disc", "Fovea": "fovea"}

DATASET = Dataset(
    name="idrid",
    title="IDRiD, Indian Diabetic Retinopathy Image Dataset",
    aliases=("Indian Diabetic Retinopathy Image Dataset",),
    dimension="2d",
    modality="fundus photography",
    organ="retina",
    task=("segmentation", "grading", "landmark localization"),
    license="CC-BY-4.0",
    homepage=HOME,
    citation=Citation(
        title="Indian Diabetic Retinopathy Image Dataset (IDRiD): A Database for Diabetic Retinopathy Screening "
        "Research",
        authors="Porwal P, Pachade S, Kamble R, et al.",
        venue="Data 3(3):25",
        year=2018,
        doi="10.3390/data3030025",
    ),
    access="registration",
    how=f"Sign in at {PORT}, download the three zip files (A. Segmentation, B. Disease Grading, C. Localization), "
    "and pass the folder that holds them.",
    sources=(
        Source(url=PORT, kind="page"),
        Source(
            url="https://www.kaggle.com/datasets/aaryapatel98/indian-diabetic-retinopathy-image-dataset",
            kind="page",
        ),
    ),
    labels=GRADES,
    legend=LEGEND,
    splits={"train": 413, "test": 103},
    configs=(
        Config(
            name="segmentation",
            title="A. Segmentation",
            task="segmentation",
            splits={"train": 54, "test": 27},
        ),
        Config(name="grading", title="B. Disease grading", task="grading"),
        Config(name="localization", title="C. Localization", task="landmark localization"),
    ),
    parts=(
        Part(config="segmentation", legend=LEGEND, names=()),
        Part(config="grading", names=(*GRADES.values(), *RISKS.values())),
        Part(config="localization", names=tuple(CENTER.values())),
    ),
    no_subject="patients are not published",
    keys="Retinopathy grade; Risk of macular edema; OD; Fovea",
    evidence=Evidence(
        layout=f"{HOME}Data/; constantinpape/torch-em:torch_em/data/datasets/medical/idrid.py@6f71247c; public "
        "loaders (names of the tables of C)",
        labels=f"{HOME}Data/; erfanvaredi/diabetic-retinal-classification@b7d7885b (both tables of B); {COPY}",
        license=f"{COPY} (LICENSE.txt of the archive: CC BY 4.0, Porwal, Pachade, Kokare)",
        subject=f"{HOME}Data/: no word of patients",
    ),
    notes=(
        "A numbers its photographs on its own (two digits); B and C hold the same photographs under the same numbers "
        "(three digits), which begin anew in the test set.",
        "A lesion without a file is absent from that photograph: soft exudates have 40 files for 81 photographs.",
        "The label map holds the five structures as bits, as they may meet; its values are in the legend.",
    ),
)


def segmented(case):
    drawn = [(mask, BITS[code]) for code, mask in case.masks.items()]
    return Row(
        id=f"segmentation-{SPLITS[case.part]}-{case.name}",
        config="segmentation",
        split=SPLITS[case.part],
        image=case.image,
        mask=masks.union(drawn, overlaps=MEETING),
        source=list(case.masks),
    )


def graded(case):
    line = case.line
    return Row(
        id=f"grading-{SPLITS[case.part]}-{case.name}",
        config="grading",
        split=SPLITS[case.part],
        image=case.image,
        classes=(line.one_of("Retinopathy grade", GRADES), line.one_of("Risk of macular edema", RISKS)),
        assessed=(*GRADES.values(), *RISKS.values()),
        source={column: cell for column, cell in line.items() if column != "Image name" and cell.strip()},
    )


def localized(case):
    lines = {"OD": case.disc, "Fovea": case.fovea}
    if not any(lines.values()):
        return case.skip("no table in this copy has a row for it")
    points, source = [], {}
    for code, name in CENTER.items():
        point = None
        if line := lines[code]:
            source[code], point = center(line)
        if point:
            points.append(Point(name=name, point=point))
        else:
            case.tell(f"no table states the center of its {name}")
    return Row(
        id=f"localization-{SPLITS[case.part]}-{case.name}",
        config="localization",
        split=SPLITS[case.part],
        image=case.image,
        points=points,
        assessed=[point.name for point in points],
        source=source,
    )


def center(line):
    """The cells of a line's center, and its numbers; None where both cells are blank."""
    columns = [next(column for column in line if column[:1] == axis) for axis in "XY"]
    cells = [line[column] for column in columns]
    blank = not any(cell.strip() for cell in cells)
    return cells, None if blank else [line.number(column) for column in columns]


IMAGE = r"{}/1\. Original Images/[ab]\. (?P<part>Training|Testing) Set/(?P<name>IDRiD_\d+)\.jpg$"
MASK = (
    r"2\. All Segmentation Groundtruths/[ab]\. (?P<part>Training|Testing) [^/]+/[^/]+/"
    r"(?P<name>IDRiD_\d+)_(?P<code>MA|HE|EX|SE|OD)\.tif$"
)
TABLE = r"(?:^|/)(?:[ab]\. )?IDRiD_{}\.csv$"
KEY = ("part", "name")

SEGMENTATION = Join(
    IMAGE.format(r"A\. Segmentation"),
    segmented,
    masks=Partner(
        MASK,
        by="code",
        skip="none of its masks is in this copy",
    ),
)
GRADING = Join(
    IMAGE.format(r"B\. Disease Grading"),
    graded,
    line=lines(
        TABLE.format("Disease Grading_(Training|Testing) Labels"),
        "Image name",
        key=KEY,
        skip="no table in this copy has a row for it",
    ),
)
LOCALIZATION = Join(
    IMAGE.format(r"C\. Localization"),
    localized,
    disc=lines(TABLE.format("OD_Center_(Training|Testing) Set_Markups"), "Image No", key=KEY),
    fovea=lines(TABLE.format("Fovea_Center_(Training|Testing) Set_Markups"), "Image No", key=KEY),
)


def rows(files):
    yield from SEGMENTATION(files)
    yield from GRADING(files)
    yield from LOCALIZATION(files)


def miniature(make):
    # Numbers begin anew in each set of B and C; a missing file is a missing lesion; tables end in empty cells and rows;
    # A is nested twice, as in the copy on Kaggle.
    folders = (
        "1. Microaneurysms",
        "2. Haemorrhages",
        "3. Hard Exudates",
        "4. Soft Exudates",
        "5. Optic Disc",
    )
    for place, name_of, cases in (
        ("a", "Training", (("IDRiD_01", 5), ("IDRiD_02", 3))),
        ("b", "Testing", (("IDRiD_55", 4),)),
    ):
        part = f"{place}. {name_of} Set"
        for name, count in cases:
            head = "A.%20Segmentation/A. Segmentation"
            make.image(f"{head}/1. Original Images/{part}/{name}.jpg", (64, 42), mode="RGB")
            for n, (folder, code) in enumerate(zip(folders, DRAWN, strict=True)):
                if code == "OD" or n < count - 1:
                    path = f"{head}/2. All Segmentation Groundtruths/{part}/{folder}/{name}_{code}.tif"
                    make.image(path, (64, 42), labels=(0,) * n + (76,))
        names = [f"IDRiD_{n:03d}" for n in (1, 2)]
        for letter in ("B. Disease Grading", "C. Localization"):
            for name in names:
                path = f"{letter}/1. Original Images/{part}/{name}.jpg"
                make.image(path, (64, 42), mode="RGB", seed=f"{place}/{name}")
        header = "Image name,Retinopathy grade,Risk of macular edema ,,,,,,,,,"
        table = [(names[0], 3, 2, *[""] * 8, " "), (names[1], 0, 0, *[""] * 9)]
        path = f"B. Disease Grading/2. Groundtruths/{place}. IDRiD_Disease Grading_{name_of} Labels.csv"
        make.csv(path, header, table)
        for folder, stem in (
            ("1. Optic Disc Center Location", f"{place}. IDRiD_OD"),
            ("2. Fovea Center Location", "IDRiD_Fovea"),
        ):
            table = [(name, 40 - 2 * n, 21, "") for n, name in enumerate(names)] + [("", "", "", "")]
            path = f"C. Localization/2. Groundtruths/{folder}/{stem}_Center_{name_of} Set_Markups.csv"
            make.csv(path, ["Image No", "X- Coordinate", "Y - Coordinate", ""], table)
    make.text("LICENSE.txt", "CC BY 4.0")
