"""Montgomery County chest X-rays: frontal radiographs of a tuberculosis screening program in Maryland, USA.

80 are normal and 58 show manifestations of tuberculosis; both lungs are outlined in all, and each has a
short clinical reading.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import masks, tables
from medimg.schema import Row, Skipped, Text

README = (
    "NLM-MontgomeryCXRSet-ReadMe.pdf, quoted in "
    "Nagi0/sd-xray:sdXray/datasets/lung-segmentation-dataset/README.md@12ec99a"
)
# Two readings name an earlier radiograph of the same patient; a third (0170) fits it by age, sex and text.
SAME = {"MCUCXR_0117": "MCUCXR_0113", "MCUCXR_0166": "MCUCXR_0162", "MCUCXR_0170": "MCUCXR_0162"}

DATASET = Dataset(
    name="montgomery-cxr",
    title="Montgomery County Chest X-ray Set",
    aliases=("Montgomery County Xray", "MontgomerySet", "MCUCXR", "NLM Montgomery"),
    dimension="2d",
    modality="X-ray",
    organ=("chest", "lung"),
    task=("classification", "segmentation"),
    license="LicenseRef-NLM",
    homepage="https://lhncbc.nlm.nih.gov/LHC-downloads/downloads.html#tuberculosis-image-data-sets",
    citation=Citation(
        title="Two public chest X-ray datasets for computer-aided screening of pulmonary diseases",
        authors="Jaeger S, Candemir S, Antani S, Wang YXJ, Lu PX, Thoma G",
        venue="Quantitative Imaging in Medicine and Surgery 4(6):475-477",
        year=2014,
        doi="10.3978/j.issn.2223-4292.2014.11.20",
    ),
    sources=(
        Source(
            url="http://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip",
            sha256="54601e952315d8f67383e9202a6e145997ade429f54f7e0af44b4e158714f424",
        ),
        Source(url="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/", kind="page"),
    ),
    labels={"0": "normal", "1": "tuberculosis"},
    legend={1: ("lung",), 2: ("lung",)},
    splits={"train": 138},
    subject="the number in the file name, but 0117 is 0113, and 0166 and 0170 are 0162",
    keys="Patient's Sex; Patient's Age; file name; ClinicalReadings",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/montgomery.py@6f71247c; "
        "mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc95 (NLMTB_Dataset)",
        labels=f"{README} (last digit of the name); "
        f"mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc95",
        license=f"{README}: none; please do not share the data set outside of your research "
        f"group/organization",
        subject="the clinical readings of 0117 and 0166 (same pt as ...), quoted in public test code; "
        "unverified: 0170",
    ),
    notes=(
        "Mask value 1 is the source's leftMask, 2 its rightMask. A public check against the markers in the "
        "radiographs found leftMask at the left of the picture, which is the patient's right lung; neither "
        "is called left or right here.",
        "The part of a lung behind the heart is not outlined.",
        "NLM asks to be named as the source, and to cite 10.1109/TMI.2013.2284099 and "
        "10.1109/TMI.2013.2290491.",
    ),
)


TOLD = ("Patient's Sex", "Patient's Age")


def rows(files):
    readings = files.index(r"ClinicalReadings/(MCUCXR_\d{4}_[01])\.txt$")
    drawn = files.index(r"ManualMask/(left|right)Mask/(MCUCXR_\d{4}_[01])\.png$", key=(1, 2))
    used = set()
    for image, name, number, digit in files.match(r"CXR_png/((MCUCXR_\d{4})_([01]))\.png$"):
        sides = [drawn.get((side, name)) for side in ("left", "right")]
        if not all(sides):
            yield Skipped(file=image, reason="a radiograph whose two lung masks are not in this copy")
            continue
        used.update(sides)
        if name not in readings:
            files.tell(image, "its reading is not in this copy: age, sex and report are not known")
        with files.row(image):
            reading = tables.lines(readings[name]) if name in readings else []
            reading = [line for line in reading if not line.startswith("Patient's ") or line.startswith(TOLD)]
            stated = [line.partition(":") for line in reading if line.startswith("Patient's ")]
            report = "\n".join(line for line in reading if not line.startswith("Patient's "))
            yield Row(
                id=name,
                subject=SAME.get(number, number),
                image=image,
                spacing=(0.0875, 0.0875),
                mask=masks.union([(masks.threshold(side), value) for value, side in enumerate(sides, 1)]),
                classes=DATASET.labels[digit],
                assessed=("normal", "tuberculosis", "lung"),
                texts=[Text(kind="report", answer=report)] if report else (),
                source={"file name": digit, "ClinicalReadings": reading},
                meta={name: cell.strip() for name, _, cell in stated},
            )
    for mask, folder in files.match(r"ManualMask/([^/]+)/[^/]+\.png$"):
        if mask not in used:
            own = folder in ("leftMask", "rightMask")
            yield Skipped(
                file=mask, reason="a mask without its radiograph" if own else "no file of the original"
            )


def miniature(make):
    # Sex is not always M or F; masks have one bit; `gt` is what a public loader leaves behind.
    cases = (("0001_0", "F", "027Y", "normal"), ("0080_0", "O", "005Y", "normal"))
    cases += (
        ("0113_1", "M", "084Y", "cavitary LUL infiltrate"),
        ("0117_1", "M", "085Y", "stable (same pt as MCUCXR_0113_1)"),
    )
    with make.zip("NLM-MontgomeryCXRSet.zip") as inner:
        for name, sex, age, text in cases:
            size = (49, 40) if name == "0001_0" else (40, 49)
            inner.image(f"MontgomerySet/CXR_png/MCUCXR_{name}.png", size)
            reading = f"Patient's Sex: {sex} \nPatient's Age: {age}\n{text}\n"
            inner.text(f"MontgomerySet/ClinicalReadings/MCUCXR_{name}.txt", reading)
            for folder, labels in (("leftMask", (255, 0)), ("rightMask", (0, 255))):
                mask = {"mode": "1", "labels": labels, "nested": False}
                inner.image(f"MontgomerySet/ManualMask/{folder}/MCUCXR_{name}.png", size, **mask)
        inner.image("MontgomerySet/ManualMask/gt/MCUCXR_0001_0.png", (49, 40), labels=(255,))
        inner.bytes("MontgomerySet/CXR_png/Thumbs.db", b"\xd0\xcf\x11\xe0")
