"""LNDb's tables: findings of the readers, joined nodules, follow-up classes, folds; and the miniature."""

from medimg.readers import tables, world
from medimg.schema import Point

RECORD = "https://zenodo.org/records/6613714"
SUMS = {
    "data0.rar": "2ae6b7b760f5286bde2f51b32fcdedbf4e1e35aee575cb971bbde5d1aef517d7",
    "data1.rar": "f5b33500127e09c0c320561c9c72e72a7934f02214bb091d717d95ed27977057",
    "data2.rar": "a8819b5ad36023cb85d1bf840a136c413bbac38dbd3cbc2b4bddb2ef43acf0cf",
    "data3.rar": "05a4b817c112aec650e78e6ba6908737a26550510de5a2b62d2b8c0dbc3059e7",
    "data4.rar": "ffa1a2de6525a1409c7d5a0d0bbdf9ce758219cca7914c08471adf3cb4405d15",
    "data5.rar": "6e94ebcc2650879feb6928b30f8bd6f8675a1c0557d9e7c06852fba81e5cea6d",
    "masks.rar": "cdc9cfbbb868ec6fc6e2612afc9bc12cd6e07f8d345610a4dffbf76e1bcc7980",
    "trainset_csv.zip": "cda2e6377344dd90b7926f2c10da29d5260ca59337bd8f1c1490639ffa8fbb94",
}
"""SHA-256 of the record's files."""
NODULES = ("lung nodule", "lung nodule smaller than 3 mm", "no lung nodule")
SMALL = 3.14159265 / 6 * 3**3
"""Volume of a sphere of 3 mm, in cubic mm."""


MORE = "allNods|chars_trainNodules|rad2Fleischner|report|text2Fleischner|LNDbAcqParams"
"""Tables that the record of the test CT added; the first column is the LNDbID."""


def tell(files):
    """Table without "train" or "test" -> LNDbID -> its rows; "Folds" -> LNDbID -> fold."""
    told = {name: {} for name in ("CTs", "Nodules", "Nodules_gt", "Fleischner", "Folds")}
    for table, part, name in files.match(r"(train|test)(CTs|Nodules|Nodules_gt|Fleischner)\.csv$"):
        for row in tables.rows(table):
            told[name].setdefault(row.integer("LNDbID"), []).append(_listed(row, part))
    for table, name in files.match(rf"(?:^|/)({MORE})\.csv$"):
        for row in tables.rows(table):
            told.setdefault(name, {}).setdefault(row.integer(next(iter(row))), []).append(row)
    for table, *_ in files.match(r"trainFolds\.csv$"):
        for row in tables.rows(table, pad=True):
            told["Folds"] |= {row.integer(fold): fold for fold, cell in row.items() if cell.strip()}
    return told


def _listed(row, part):
    return tables.Line({**row, "list": part}, row.file, row.at)


def points(image, nodules):
    """Centers of the joined findings, as points in voxels."""
    centers = world.to_voxel(image, [[row.number(axis) for axis in "xyz"] for row in nodules])
    return [Point(name=_name(row), point=one) for row, one in zip(nodules, centers, strict=True)]


def _name(row):
    if row.number("Nodule") < 0.5:
        return NODULES[2]
    return NODULES[row.number("Volume") < SMALL]


def miniature(make):
    scan = {"spacing": (0.7, 0.7, 1.0), "origin": (-150.0, -160.0, -270.0)}
    readers = {"0001": ("rad1", "rad2", "rad3"), "0312": ("rad1",), "0009": ()}
    for digits, drawn in readers.items():
        make.metaimage(f"data{int(digits) % 6}/LNDb-{digits}.mhd", (12, 10, 6), **scan)
        for number, reader in enumerate(drawn, 1):
            # The same nodule has another id in every reader's mask; those under 3 mm (4 and 9) have none.
            labels = {"labels": (number,), "dtype": "uint8"}
            make.metaimage(f"masks/LNDb-{digits}_{reader}.mhd", (12, 10, 6), **scan, **labels)
    with make.zip("trainset_csv.zip") as inner:
        inner.csv("trainCTs.csv", ["LNDbID", "RadN"], [(1, 3), (312, 1)])
        inner.csv("trainFleischner.csv", ["LNDbID", "Fleischner"], [(1, 2), (312, 0)])
        inner.csv("trainFolds.csv", ["Fold0", "Fold1", "Fold2", "Fold3"], [(1, 312, None, None)])
        head = "LNDbID RadID RadFindingID FindingID x y z AgrLevel Nodule Volume Text".split()
        rows = [(1, "1,2,3", "1,2,3", 1, -146.5, -156.8, -267, 3, 1, 120.5, 5)]
        rows += [
            (1, "1", "4", 2, -144.4, -155.4, -266, 1, 1, 9.0, 4),
            (1, "2", "9", 3, -145, -157, -268, 1, 0, 4, 5),
            (312, "1", "1", 1, -146.5, -156.8, -267, 1, 1, 90.5, 5),
        ]
        inner.csv("trainNodules_gt.csv", head, rows)
        head = "LNDbID RadID FindingID x y z Nodule Volume Text".split()
        inner.csv(
            "trainNodules.csv",
            head,
            [(1, 1, 1, -146.5, -156.8, -267, 1, 118.2, 5), (1, 1, 4, -144.4, -155.4, -266, 1, 9, 4)],
        )
    # Of the record with the test CT: further tables, and cubes around candidates.
    make.csv("testCTs.csv", ["LNDbID"], [(9,)])
    make.csv(
        "LNDbAcqParams.csv", ["LNDbID", "Manufacturer", "KVP"], [(1, "SIEMENS", 120), (9, "SIEMENS", 100)]
    )
    make.csv("report.csv", ["num_report", "loc_0", "unc_0", "rem_0"], [(1, "right upper lobe", None, "5 mm")])
    make.npy("predictedNodulesB/1.npy", (4, 4, 4))
