"""LNDb: 294 chest CT of a hospital in Porto in which one to three radiologists each outlined the lung nodules.

Findings of different readers are joined into nodules, with volume, texture and whether they agreed; each CT
has the class of the Fleischner guideline for its follow-up.
"""

from medimg.builders import _lndb
from medimg.declaration import Citation, Config, Dataset, Evidence, Part, Source
from medimg.schema import Measure, Row, Skipped

NODULE = {1: ("lung nodule",)}
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
        *(Source(url=f"{_lndb.RECORD}/files/{name}", sha256=digest) for name, digest in _lndb.SUMS.items()),
        Source(url="https://zenodo.org/record/7153205", kind="page"),
    ),
    legend=NODULE,
    parts=(Part(legend=NODULE, names=_lndb.NODULES),),
    configs=(
        Config(name="rad1", title="Masks of the first reader", splits={"train": 236, "test": 58}),
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
        license=f"{_lndb.RECORD}: the record's field says CC BY 4.0, its text CC BY-NC-ND 4.0; the stricter is taken",
        subject="openmedlab/Awesome-Medical-Dataset:resources/LNDb.md@81da0eee",
    ),
    notes=(
        "One sub-collection per reader, as masks are bit for bit the source's: values are that reader's "
        "finding ids (trainNodules.csv), not classes. Of 236 CT 59 were read by one radiologist, 110 by two, "
        "67 by three.",
        "Points are the joined findings of all readers. Nodules under 3 mm (by volume) and non-nodules have no "
        "mask.",
        "meta.fold is the official fold of the cross-validation.",
    ),
    bad_files="quarantine",
)


def rows(files):
    files.need(r"trainCTs\.csv$", next_step=DATASET.how)
    told = _lndb.tell(files)
    drawn = files.index(r"LNDb-(\d+)_(rad\d)\.mhd$", key=(1, 2))
    for name, lost in EXPECTED.items():
        if not told[name]:
            files.tell(name, f"no table train{name}.csv is in this copy: {lost} not known")
    for image, digits in files.match(r"LNDb-(\d+)\.mhd$"):
        number = int(digits)
        said = {name: rows[number] for name, rows in told.items() if number in rows}
        about = {name: rows[0] for name in ("LNDbAcqParams",) if (rows := said.pop(name, None))}
        train = any(row["list"] == "train" for row in said.get("CTs", ()))
        readers = [reader for reader in ("rad1", "rad2", "rad3") if (digits, reader) in drawn]
        if train and not readers:
            yield from both(image, "a CT without the mask of any reader in this copy")
            continue
        found = said.get("Nodules_gt", ())
        for reader in readers or ["rad1"]:
            mask = drawn.pop((digits, reader), None)
            with files.row(image):
                yield Row(
                    id=f"LNDb-{digits}",
                    config=reader,
                    split="train" if train else "test",
                    subject=f"LNDb-{digits}",
                    image=image,
                    mask=mask,
                    instances=mask is not None,
                    assessed=_lndb.NODULES if found or mask else (),
                    points=_lndb.points(image, found),
                    measures=[
                        Measure(name="Fleischner class", value=row.number("Fleischner"), unit="1")
                        for row in said.get("Fleischner", ())
                    ],
                    source=said or None,
                    meta={"LNDbID": number, "fold": said.get("Folds")} | about,
                )
    for mask in drawn.values():
        yield from both(mask, "a mask whose CT is not in this copy")
    for (file,) in files.match(r"predictedNodules\w*/[^/]+\.npy$|masks/[^/]+checkpoint[^/]*$"):
        yield Skipped(file=file, reason="a cube of a candidate, or a left-over: no scan and no mask")


EXPECTED = {"Nodules_gt": "centers of the nodules are", "Fleischner": "classes for follow-up are"}
"""Table of the training set -> what it says."""


def both(header, reason):
    for file in filter(None, (header, header.sibling(f"{header.stem}.raw"))):
        yield Skipped(file=file, reason=reason)


def miniature(make):
    _lndb.miniature(make)
