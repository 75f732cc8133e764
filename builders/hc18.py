"""HC18: ultrasound of the standard plane of the fetal head, with its outline and circumference.

Made for the automated measurement of fetal head circumference, in all trimesters.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import masks, tables
from medimg.schema import Measure, Row, Skipped, skipped

PIXEL, HC = "pixel size(mm)", "head circumference (mm)"
ZENODO = "https://zenodo.org/records/1327317"

DATASET = Dataset(
    name="hc18",
    title="HC18, Automated Measurement of Fetal Head Circumference",
    aliases=("Fetal head circumference", "HC18 Grand Challenge"),
    dimension="2d",
    modality="ultrasound",
    organ="fetal head",
    task=("segmentation", "measurement"),
    license="CC-BY-4.0",
    homepage="https://hc18.grand-challenge.org/",
    citation=Citation(
        title="Automated measurement of fetal head circumference using 2D ultrasound images",
        authors="van den Heuvel TLA, de Bruijn D, de Korte CL, van Ginneken B",
        venue="PLoS ONE 13(8):e0200412",
        year=2018,
        doi="10.1371/journal.pone.0200412",
    ),
    sources=(
        Source(
            url=f"{ZENODO}/files/training_set.zip",
            sha256="fd20d7909df892cfbdc0850de18072dbdad4dc3bc0a57202d4cc818d4715de36",
        ),
        Source(url=f"{ZENODO}/files/test_set.zip"),
        Source(url=f"{ZENODO}/files/training_set_pixel_size_and_HC.csv"),
        Source(url=f"{ZENODO}/files/test_set_pixel_size.csv"),
        Source(url=ZENODO, kind="page"),
    ),
    legend={1: ("fetal head",)},
    splits={"train": 999, "test": 335},
    subject="the split and the leading number of the file name, which counts examinations, not women",
    shared_subjects="1,141 numbers were given to 551 women: one woman may have an examination in each split, "
    "and the source does not tell",
    keys="filename; pixel size(mm); head circumference (mm)",
    evidence=Evidence(
        layout="https://hc18.grand-challenge.org/Home/; constantinpape/torch-em:"
        "torch_em/data/datasets/medical/hc18.py@65f1278a; rileyaquilano/Ultrasound_Final@97880301 (a whole "
        "copy)",
        labels="https://hc18.grand-challenge.org/Home/ (outline by a trained sonographer, circumference in mm)",
        license="https://zenodo.org/records/1327317 (CC BY 4.0)",
        subject="https://hc18.grand-challenge.org/Home/ (images with 2HC, 3HC, … are of the same "
        "examination); 551 women: huggingface.co/datasets/Angelou0516/HC18",
    ),
    notes=(
        "The source draws the outline of the head; the mask here is the outline with its inside.",
        "The labels of the test set were never published.",
        "Test numbers begin at 000 again: 000_HC of one set is another examination than 000_HC of the other.",
        "Some copies hold annotations that are filled already; their mask is the drawn region.",
    ),
)


def rows(files):
    lost = "pixel sizes and head circumferences are"
    table = r"(training|test)_set_pixel_size[^/]*\.csv$"
    stated = tables.lines_by(files, table, "filename", lost=lost)
    outlines = files.index(r"(?:^|/)(\d+_\d*HC)_Annotation\.png$")
    for image, part, name, number in files.match(r"(?:^|/)(?:(training|test)_set/)?((\d+)_\d*HC)\.png$"):
        outline = outlines.pop(name, None) if part != "test" else None
        if part == "training" and outline is None:
            yield Skipped(file=image, reason="a training image whose annotation is not in this copy")
            continue
        if part is None and outline is None:
            yield Skipped(file=image, reason="neither a folder nor an annotation says of which set it is")
            continue
        split = "test" if part == "test" else "train"
        with files.row(image):
            said = stated.get((part or "training", image.name))
            yield row(files, split, image, name, number, said, outline)
    yield from skipped(outlines.values(), "an annotation whose image is not in this copy")
    stated.tell_rest("its image is not in this copy")


def row(files, split, image, name, number, said, outline):
    if said is None:
        files.tell(image, "no table in this copy has a line for it: its pixel size and circumference are not known")
        said = {}
    measures, source = [], None
    if HC in said:
        measures.append(Measure(name="head circumference", value=said.number(HC), unit="mm"))
        source = {HC: said[HC]}
    return Row(
        id=f"{split}-{name}",
        split=split,
        subject=f"{split}-{number}",
        image=image,
        spacing=(said.number(PIXEL),) * 2 if said else None,
        mask=masks.filled(outline) if outline else None,
        measures=measures,
        source=source,
        meta={key: value for key, value in said.items() if key != HC},
    )


def miniature(make):
    train = (
        ("000_HC", (48, 36), "L", True),
        ("010_HC", (48, 36), "RGB", True),
        ("010_2HC", (46, 37), "RGB", False),
    )
    with make.zip("training_set.zip") as inner:
        for name, size, mode, contour in train:
            inner.image(f"training_set/{name}.png", size)
            outline = {"mode": mode, "labels": (255,), "contour": contour}
            inner.image(f"training_set/{name}_Annotation.png", size, **outline)
    with make.zip("test_set.zip") as inner:
        inner.image("test_set/000_HC.png", (48, 36))
    measured = [(f"{name}.png", 0.069135804 + n / 100, 44.3 + n) for n, (name, *_) in enumerate(train)]
    make.csv("training_set_pixel_size_and_HC.csv", ["filename", PIXEL, HC], measured)
    make.csv("test_set_pixel_size.csv", ["filename", PIXEL], [("000_HC.png", 0.23585714045)])
