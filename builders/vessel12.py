"""VESSEL12: chest CT of 23 persons for the segmentation of lung vessels, with masks of the lungs.

Three example scans have points that three readers call vessel or not; the reference of the 20 test scans was
never published.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.readers import tables
from medimg.schema import Point, Row

HOME = "https://vessel12.grand-challenge.org/"
KINDS = {"1": "pulmonary vessel", "0": "non-vessel"}

DATASET = Dataset(
    name="vessel12",
    title="VESSEL12, VESsel SEgmentation in the Lung 2012",
    aliases=("VESsel SEgmentation in the Lung 2012",),
    dimension="3d",
    modality="CT",
    organ=("lung", "blood vessel"),
    task="segmentation",
    license="LicenseRef-VESSEL12",
    access="registration",
    how=f"Register at {HOME}, accept the rules, download the archives of Zenodo record 8055066 and pass their "
    "folder as source=",
    citation=Citation(
        title="Comparing algorithms for automated vessel segmentation in computed tomography scans of the "
        "lung: the VESSEL12 study",
        authors="Rudyanto RD, Kerkstra S, van Rikxoort EM, et al.",
        venue="Medical Image Analysis 18:1217-1232",
        year=2014,
        doi="10.1016/j.media.2014.07.003",
    ),
    sources=(
        Source(url=HOME, kind="page"),
        Source(url="https://zenodo.org/records/8055066", kind="page"),
    ),
    legend={1: ("lung",)},
    labels=KINDS,
    splits={"train": 3, "test": 20},
    subject="the scan's number: one scan per person (unverified)",
    keys="Annotations; x; y; z; label",
    evidence=Evidence(
        layout="https://zenodo.org/records/8055066 (archives, in public vessel code); six public readers of "
        "VESSEL12_ExampleScans/{Scans,Lungmasks,Annotations}; "
        "openmedlab/Awesome-Medical-Dataset:resources/VESSEL12.md@81da0eee",
        labels="public readers of VESSEL12_21_Annotations.csv: no header; x, y, z in voxels and 1 or 0",
        license=f"{HOME}Details/ (only for participation in the challenge)",
        subject="unverified",
    ),
    notes=(
        "Masks are of the lungs. There are no masks of vessels: about 300 points in each of the three example "
        "scans (split train) say vessel or not.",
        "The challenge is closed; the references of the test scans cannot be had.",
    ),
    bad_files="quarantine",
)


def annotated(case):
    """The example scans."""
    return int(case.number) > 20


def row(case):
    columns = ("x", "y", "z", "label")
    said = [*tables.rows(case.table, header=False, columns=columns)] if case.table else []
    assessed = []
    if case.lungs:
        assessed.append("lung")
    if said:
        assessed += KINDS.values()
    return Row(
        id=f"VESSEL12_{case.number}",
        split="train" if annotated(case) else "test",
        subject=case.number,
        image=case.image,
        mask=case.lungs,
        assessed=assessed,
        points=[point(line) for line in said],
        source={"Annotations": said} if said else None,
    )


rows = Join(
    r"^(?!(?i:.*lungmasks/)).*VESSEL12_(?P<number>\d+)\.mhd$",
    row,
    lungs=Partner(
        r"(?i)lungmasks/(?:.*/)?VESSEL12_(?P<number>\d+)\.mhd$",
        tell="its lung mask is not in this copy",
        lost="lung masks are",
        orphan="a lung mask whose scan is not in this copy",
    ),
    table=Partner(
        r"VESSEL12_(?P<number>\d+)_Annotations\.csv$",
        when=annotated,
        tell="its annotations are not in this copy: points are not known",
    ),
)


def point(line):
    label = str(line.integer("label"))
    if label not in KINDS:
        raise line.wrong("label", f"is none of {', '.join(KINDS)}")
    return Point(name=KINDS[label], point=[line.number(axis) for axis in "xyz"])


def miniature(make):
    size, place = (14, 12, 6), {"spacing": (0.7, 0.7, 0.8), "origin": (-150, -140, -300)}
    # One archive's name has an underscore where the others have a dash.
    for archive, number in (("VESSEL12_01-05", "01"), ("VESSEL12_11_15", "11")):
        with make.tar(f"{archive}.tar.bz2") as inner:
            inner.metaimage(f"{archive}/VESSEL12_{number}.mhd", size, **place)
    with make.tar("VESSEL12_01-20_Lungmasks.tar.bz2") as inner:
        for number in ("01", "11"):
            inner.metaimage(f"VESSEL12_01-20_Lungmasks/VESSEL12_{number}.mhd", size, labels=(1,), **place)
    with make.tar("VESSEL12_ExampleScans.tar.bz2") as inner:
        root = "VESSEL12_ExampleScans"
        inner.metaimage(f"{root}/Scans/VESSEL12_21.mhd", size, **place)
        inner.metaimage(f"{root}/Lungmasks/VESSEL12_21.mhd", size, labels=(1,), **place)
        points = [(4, 5, 2, 1), (9, 3, 2, 0), (6, 6, 4, 1)]
        inner.csv(f"{root}/Annotations/VESSEL12_21_Annotations.csv", None, points)
