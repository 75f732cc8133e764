"""NLM malaria cells: single red blood cells from thin blood smears, parasitized or not.

27,558 crops from smears of 150 infected and 50 healthy people in Chittagong, Bangladesh, photographed with a
phone at the microscope.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Lookup
from medimg.readers import tables
from medimg.schema import Row

HOST = "https://data.lhncbc.nlm.nih.gov/public/Malaria"
LOADER = "zzmic/stable-datasets:stable_datasets/images/malaria.py@79de992"
MAPPINGS = {
    "Parasitized": "d0367e513397404e980baee2a641bce9ce329a22e62ea9007962dfca2f8418d3",
    "Uninfected": "a8577b21e7154724f4bbd18326218e2c63a99b22ab372b79a7530d36df6dab78",
}

DATASET = Dataset(
    name="malaria-cells",
    title="NLM malaria cell images",
    aliases=("Malaria", "NIH malaria cell images", "cell_images"),
    dimension="2d",
    modality="microscopy",
    organ=("blood", "cell"),
    task="classification",
    license="LicenseRef-NLM",
    homepage="https://lhncbc.nlm.nih.gov/LHC-research/LHC-projects/image-processing/malaria-datasheet.html",
    citation=Citation(
        title="Pre-trained convolutional neural networks as feature extractors toward improved malaria parasite "
        "detection in thin blood smear images",
        authors="Rajaraman S, Antani SK, Poostchi M, et al.",
        venue="PeerJ 6:e4568",
        year=2018,
        doi="10.7717/peerj.4568",
    ),
    sources=(
        Source(
            url=f"{HOST}/cell_images.zip",
            sha256="0a949556b2414159b5100192609805376654c4266d8d187be9b1922fad43c668",
        ),
        *(
            Source(url=f"{HOST}/patientid_cellmapping_{kind.lower()}.csv", sha256=sha256)
            for kind, sha256 in MAPPINGS.items()
        ),
    ),
    labels={"Parasitized": "parasitized red blood cell", "Uninfected": "uninfected red blood cell"},
    splits={"train": 27558},
    no_subject="the patient of a cell is in the two mapping tables; without them, rows have none",
    keys="photograph; cell",
    evidence=Evidence(
        layout=f"tensorflow/datasets:tensorflow_datasets/image_classification/malaria.py@31f1255e; {LOADER}",
        labels="tensorflow/datasets:tensorflow_datasets/image_classification/malaria.py@31f1255e (folders)",
        license="none stated on the NLM pages",
        subject=f"{LOADER} (the tables cover all 27,558 files)",
    ),
    notes=(
        "Split by subject: a random split of the images puts cells of one patient on both sides.",
        "The part of the file name before _cell_ is the photograph that the cell was cut from.",
    ),
)


def row(case):
    return Row(
        id=f"{case.kind.lower()}-{case.stem}",
        subject=case.patient,
        image=case.image,
        classes=DATASET.labels[case.kind],
        assessed=DATASET.every_label,
        source=case.kind,
        meta={"photograph": case.photograph, "cell": int(case.number)},
    )


def patients(files):
    """(kind, file name) -> patient; the lines of the tables have a patient and then all of its cells."""
    found = {}
    for table, kind in files.match(r"patientid_cellmapping_(parasitized|uninfected)\.csv$"):
        for line in tables.lines(table):
            patient, *cells = (cell.strip(" \"'[]") for cell in line.removeprefix("\ufeff").split(","))
            for name in filter(None, cells):
                key = (kind.title(), tables.file_name(name))
                if found.setdefault(key, patient) != patient:
                    files.tell(table, "an image stands in the lines of two patients; the first one counts")
    return found


rows = Join(
    r"(?:^|/)(?P<kind>Parasitized|Uninfected)/(?P<photograph>[^/]+)_cell_(?P<number>\d+)\.png$",
    row,
    patient=Lookup(
        patients,
        ("kind", "file"),
        tell="no table in this copy has a line for it: its patient is not known",
    ),
    left=[(r"(?:^|/)(?:Parasitized|Uninfected)/(?:(?!_cell_\d+\.png$).)+$", "no image of a cell")],
)


def miniature(make):
    # The tables have no header, may begin with a BOM, and spread a Python list over their cells; Thumbs.db lies around.
    names = {
        "Parasitized": (
            "C33P1thinF_IMG_20150619_114756a_cell_179",
            "C37BP2_thinF_IMG_20150620_133111a_cell_87",
        ),
        "Uninfected": ("C1_thinF_IMG_20150604_104722_cell_9", "C1_thinF_IMG_20150604_104722_cell_15"),
    }
    with make.zip("cell_images.zip") as inner:
        for kind, cells in names.items():
            for n, name in enumerate(cells):
                inner.image(f"cell_images/{kind}/{name}.png", (34 + 3 * n, 31), mode="RGB")
            inner.bytes(f"cell_images/{kind}/Thumbs.db", b"\xd0\xcf\x11\xe0")
    first, second = (f"{name}.png" for name in names["Parasitized"])
    text = f"C33P1,\"['{first}']\",,\r\nC37BP2,\"['{second}'\", 'absent_cell_1.png'],\r\n"
    make.text("patientid_cellmapping_parasitized.csv", "\ufeff" + text)
    first, second = (f"{name}.png" for name in names["Uninfected"])
    make.text("patientid_cellmapping_uninfected.csv", f"C1,['{first}', '{second}'],\n")
