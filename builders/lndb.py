"""LNDb: 294 chest CT of a hospital in Porto in which one to three radiologists each outlined the lung nodules.

Findings of different readers are joined into nodules, with volume, texture and whether they agreed; each CT
has the class of the Fleischner guideline for its follow-up.
"""

from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.join import Join, Lookup, Partner
from medimg.readers import table_lines, tables, world
from medimg.schema import Measure, Point, Row

NODULE = {1: ("lung nodule",)}
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
EXPECTED = {"Nodules_gt": "centers of the nodules are", "Fleischner": "classes for follow-up are"}
"""Table of the training set -> what it says."""

DATASET = Dataset(
    name="lndb",
    title="LNDb, Lung Nodule Database",
    aliases=("LNDb challenge",),
    dimension="3d",
    modality="CT",
    organ="lung",
    task=("detection", "segmentation", "classification"),
    license="CC-BY-NC-ND-4.0",
    homepage="https://lndb.grand-challenge.org/",
    how="Unpack the RAR archives and pass the folder that holds them all.",
    citation=Citation(
        title="LNDb: a lung nodule database on computed tomography",
        authors="Pedrosa J, Aresta G, Ferreira C, et al.",
        venue="arXiv:1911.08434",
        year=2019,
        doi="10.48550/arXiv.1911.08434",
    ),
    sources=(
        *(Source(url=f"{RECORD}/files/{name}", sha256=digest) for name, digest in SUMS.items()),
        Source(url="https://zenodo.org/record/7153205", kind="page"),
    ),
    legend=NODULE,
    parts=(Part(legend=NODULE, names=NODULES),),
    configs=(
        Config(name="rad1", title="Masks of the first reader"),
        Config(name="rad2", title="Masks of the second reader", splits={"train": 177}),
        Config(name="rad3", title="Masks of the third reader", splits={"train": 67}),
    ),
    splits={"train": 236, "test": 58},
    subject="LNDb-#### is one patient; numbers have gaps",
    keys=(
        "LNDbID; fold; LNDbAcqParams; CTs; RadN; list; Nodules_gt; RadID; RadFindingID; FindingID; "
        "x; y; z; AgrLevel; Nodule; Volume; Text; Fleischner; Folds; Nodules; report; num_report; "
        "loc_*; unc_*; rem_*"
    ),
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/lndb.py@4fa51acf; columns of the CSV files in "
        "public copies; for the record with the test CT (Zenodo 7153205) a public inventory of LNDbv4: 294 .mhd with "
        ".raw, testCTs.csv with 58 of them, 236, 177 and 67 masks, 16 tables, 625 cubes in predictedNodulesB",
        labels="constantinpape/torch-em:torch_em/data/datasets/medical/lndb.py@4fa51acf (masks hold the ids of "
        "each reader's findings; x, y, z in mm, as MetaImage's origin)",
        license=f"{RECORD}: the record's field says CC BY 4.0, its text CC BY-NC-ND 4.0; the stricter is taken",
        subject="openmedlab/Awesome-Medical-Dataset:resources/LNDb.md@81da0eee",
    ),
    notes=(
        "One sub-collection per reader, as masks are bit for bit the source's: values are that reader's "
        "finding ids (trainNodules.csv), not classes. Of 236 CT 59 were read by one radiologist, 110 by two, "
        "67 by three.",
        "Points are the joined findings of all readers. Nodules under 3 mm (by volume) and non-nodules have no mask.",
        "meta.fold is the official fold of the cross-validation.",
    ),
    bad_files="quarantine",
)


def said(files):
    """LNDbID -> table without "train" or "test" -> its lines; "Folds" -> fold."""
    files.need(r"trainCTs\.csv$", next_step=DATASET.how)
    told = {name: {} for name in ("CTs", "Nodules", "Nodules_gt", "Fleischner", "Folds")}
    for table, part, name in files.match(r"(train|test)(CTs|Nodules|Nodules_gt|Fleischner)\.csv$"):
        for line in tables.rows(table):
            listed = table_lines.Line({**line, "list": part}, line.file, line.at)
            told[name].setdefault(line.integer("LNDbID"), []).append(listed)
    for table, name in files.match(rf"(?:^|/)({MORE})\.csv$"):
        for line in tables.rows(table):
            told.setdefault(name, {}).setdefault(line.integer(next(iter(line))), []).append(line)
    for table, *_ in files.match(r"trainFolds\.csv$"):
        for line in tables.rows(table, pad=True):
            told["Folds"] |= {line.integer(fold): fold for fold, cell in line.items() if cell.strip()}
    for name, lost in EXPECTED.items():
        if not told[name]:
            files.tell(name, f"no table train{name}.csv is in this copy: {lost} not known")
    numbers = {number for lines in told.values() for number in lines}
    return {str(number): {name: lines[number] for name, lines in told.items() if number in lines} for number in numbers}


def row(case):
    said = dict(case.said or {})
    meta = {"LNDbID": int(case.number), "fold": said.get("Folds")}
    if acquired := said.pop("LNDbAcqParams", None):
        meta["LNDbAcqParams"] = acquired[0]
    train = any(line["list"] == "train" for line in said.get("CTs", ()))
    if train and not case.drawn:
        return case.skip("a CT without the mask of any reader in this copy")
    nodules = said.get("Nodules_gt", ())
    return [
        Row(
            id=f"LNDb-{case.digits}",
            config=reader,
            split="train" if train else "test",
            subject=f"LNDb-{case.digits}",
            image=case.image,
            mask=mask,
            instances=mask is not None,
            assessed=NODULES if nodules or mask else (),
            points=points(case.image, nodules),
            measures=[
                Measure(name="Fleischner class", value=line.number("Fleischner"), unit="1")
                for line in said.get("Fleischner", ())
            ],
            source=said or None,
            meta=meta,
        )
        for reader, mask in (case.drawn or {"rad1": None}).items()
    ]


def points(image, nodules):
    """Centers of the joined findings, as points in voxels."""
    centers = world.to_voxel(image, [[line.number(axis) for axis in "xyz"] for line in nodules])
    return [Point(name=kind(line), point=one) for line, one in zip(nodules, centers, strict=True)]


def kind(line):
    if line.number("Nodule") < 0.5:
        return NODULES[2]
    return NODULES[line.number("Volume") < SMALL]


rows = Join(
    r"LNDb-(?P<digits>0*(?P<number>\d+))\.mhd$",
    row,
    drawn=Partner(
        r"LNDb-(?P<digits>\d+)_(?P<reader>rad[123])\.mhd$",
        by="reader",
        orphan="a mask whose CT is not in this copy",
    ),
    said=Lookup(said, "number"),
    left=[
        (
            r"predictedNodules\w*/[^/]+\.npy$|masks/[^/]+checkpoint[^/]*$",
            "a cube of a candidate, or a left-over: no scan and no mask",
        )
    ],
)


def miniature(make):
    scan = {"spacing": (0.7, 0.7, 1.0), "origin": (-150.0, -160.0, -270.0)}
    readers = {"0001": ("rad1", "rad2", "rad3"), "0312": ("rad1",), "0009": ()}
    for digits, drawn in readers.items():
        make.metaimage(f"data{int(digits) % 6}/LNDb-{digits}.mhd", **scan)
        for number, reader in enumerate(drawn, 1):
            # The same nodule has another id in every reader's mask; those under 3 mm (4 and 9) have none.
            make.metaimage(f"masks/LNDb-{digits}_{reader}.mhd", labels=(number,), **scan)
    with make.zip("trainset_csv.zip") as inner:
        inner.csv("trainCTs.csv", "LNDbID,RadN", [(1, 3), (312, 1)])
        inner.csv("trainFleischner.csv", "LNDbID,Fleischner", [(1, 2), (312, 0)])
        inner.csv("trainFolds.csv", "Fold0,Fold1,Fold2,Fold3", [(1, 312, None, None)])
        rows = [
            (1, "1,2,3", "1,2,3", 1, -146.5, -156.8, -267, 3, 1, 120.5, 5),
            (1, "1", "4", 2, -144.4, -155.4, -266, 1, 1, 9.0, 4),
            (1, "2", "9", 3, -145, -157, -268, 1, 0, 4, 5),
            (312, "1", "1", 1, -146.5, -156.8, -267, 1, 1, 90.5, 5),
        ]
        header = "LNDbID,RadID,RadFindingID,FindingID,x,y,z,AgrLevel,Nodule,Volume,Text"
        inner.csv("trainNodules_gt.csv", header, rows)
        rows = [(1, 1, 1, -146.5, -156.8, -267, 1, 118.2, 5), (1, 1, 4, -144.4, -155.4, -266, 1, 9, 4)]
        inner.csv("trainNodules.csv", "LNDbID,RadID,FindingID,x,y,z,Nodule,Volume,Text", rows)
    # Of the record with the test CT: further tables, and cubes around candidates.
    make.csv("testCTs.csv", ["LNDbID"], [(9,)])
    scanners = [(1, "SIEMENS", 120), (9, "SIEMENS", 100)]
    make.csv("LNDbAcqParams.csv", "LNDbID,Manufacturer,KVP", scanners)
    make.csv("report.csv", ["num_report", "loc_0", "unc_0", "rem_0"], [(1, "right upper lobe", None, "5 mm")])
    make.npy("predictedNodulesB/1.npy", (4, 4, 4))
