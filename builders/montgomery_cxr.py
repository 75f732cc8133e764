"""Montgomery County chest X-rays: frontal radiographs of a tuberculosis screening program in Maryland, USA.

80 are normal and 58 show manifestations of tuberculosis; both lungs are outlined in all, and each has a
short clinical reading.
"""

from medimg.builders import _nlm_cxr
from medimg.declaration import Evidence, Source
from medimg.join import Partner
from medimg.readers import masks, tables
from medimg.schema import Row

README = (
    "NLM-MontgomeryCXRSet-ReadMe.pdf, quoted in "
    "Nagi0/sd-xray:sdXray/datasets/lung-segmentation-dataset/README.md@12ec99a"
)
# Two readings name an earlier radiograph of the same patient; a third (0170) fits it by age, sex and text.
SAME = {"MCUCXR_0117": "MCUCXR_0113", "MCUCXR_0166": "MCUCXR_0162", "MCUCXR_0170": "MCUCXR_0162"}

DATASET = _nlm_cxr.radiographs(
    name="montgomery-cxr",
    title="Montgomery County Chest X-ray Set",
    aliases=("Montgomery County Xray", "MontgomerySet", "MCUCXR", "NLM Montgomery"),
    task=("classification", "segmentation"),
    sources=(
        Source(
            url="http://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip",
            sha256="54601e952315d8f67383e9202a6e145997ade429f54f7e0af44b4e158714f424",
        ),
        Source(url="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/", kind="page"),
    ),
    legend={1: ("lung",), 2: ("lung",)},
    splits={"train": 138},
    subject="the number in the file name, but 0117 is 0113, and 0166 and 0170 are 0162",
    keys="Patient's Sex; Patient's Age; file name; ClinicalReadings",
    evidence=Evidence(
        layout="constantinpape/torch-em:torch_em/data/datasets/medical/montgomery.py@6f71247c; "
        "mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc95 (NLMTB_Dataset)",
        labels=f"{README} (last digit of the name); mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc95",
        license=f"{README}: none; please do not share the data set outside of your research group/organization",
        subject="the clinical readings of 0117 and 0166 (same pt as ...), quoted in public test code; unverified: 0170",
    ),
    notes=(
        "Mask value 1 is the source's leftMask, 2 its rightMask. A public check against the markers in the "
        "radiographs found leftMask at the left of the picture, which is the patient's right lung; neither "
        "is called left or right here.",
        "The part of a lung behind the heart is not outlined.",
        "NLM asks to be named as the source, and to cite 10.1109/TMI.2013.2284099 and 10.1109/TMI.2013.2290491.",
    ),
)
TOLD = ("Patient's Sex", "Patient's Age")
"""Of what a reading says of the patient, all that is passed on."""


def row(case):
    reading = tables.lines(case.reading) if case.reading else []
    reading = [line for line in reading if line.startswith(TOLD) or not line.startswith("Patient's ")]
    report = [line for line in reading if not line.startswith("Patient's ")]
    stated = [line.partition(":") for line in reading if line not in report]
    return Row(
        id=case.name,
        subject=SAME.get(case.number, case.number),
        image=case.image,
        spacing=(0.0875, 0.0875),
        mask=masks.union([(masks.threshold(case.left_lung), 1), (masks.threshold(case.right_lung), 2)]),
        assessed=("normal", "tuberculosis", "lung"),
        meta={name: cell.strip() for name, _, cell in stated},
        **_nlm_cxr.label(case, reading, report),
    )


def lung(side):
    return Partner(
        rf"ManualMask/{side}Mask/(?P<name>MCUCXR_\d{{4}}_[01])\.png$",
        skip="a radiograph whose two lung masks are not in this copy",
        orphan="a mask without its radiograph",
    )


rows = _nlm_cxr.rows(
    "MCUCXR",
    row,
    left_lung=lung("left"),
    right_lung=lung("right"),
    left=[(r"ManualMask/[^/]+/[^/]+\.png$", "no file of the original")],
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
