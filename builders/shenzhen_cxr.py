"""Shenzhen chest X-rays: frontal radiographs of Shenzhen No. 3 People's Hospital, China.

326 are normal and 336 show manifestations of tuberculosis; each has a short clinical reading.
"""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.readers import masks, tables
from medimg.schema import Row, Skipped, Text

DATASET = Dataset(
    name="shenzhen-cxr",
    title="Shenzhen Hospital Chest X-ray Set",
    aliases=("Shenzhen Hospital-Xray", "ChinaSet_AllFiles", "ChinaSet", "CHNCXR", "SZ-CXR", "SZ-CXR"),
    dimension="2d",
    modality="X-ray",
    organ=("chest", "lung"),
    task="classification",
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
        Source(url="https://openi.nlm.nih.gov/imgs/collections/ChinaSet_AllFiles.zip"),
        Source(url="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/", kind="page"),
        Source(url="https://www.kaggle.com/datasets/yoctoman/shcxr-lung-mask", kind="page"),
    ),
    labels={"0": "normal", "1": "tuberculosis"},
    legend={1: ("lung",)},
    splits={"train": 662},
    subject="the number in the file name: one radiograph per patient, as far as the readings tell",
    keys="ClinicalReadings; file name",
    evidence=Evidence(
        layout="mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc95 (NLMTB_Dataset); "
        "constantinpape/torch-em 0.10.9: torch_em/data/datasets/medical/chest_xray_masks.py (lung masks)",
        labels="mlmed/torchxrayvision:torchxrayvision/datasets.py@00ebc95 (last digit of the name)",
        license="readme of NLM: none stated; attribution and two citations are asked for",
        subject="unverified: one radiograph per patient",
    ),
    notes=(
        "Lung masks of 566 radiographs were drawn by others (Stirenko et al. 2018) and are no part of the "
        "NLM archive; they are read where they lie beside it, as <image>_mask.png.",
        "Most files store the gray values as a palette, 27 as three equal channels.",
        "The outlines of lesions that NLM added in 2022 (Annotations) are one file per finding and are "
        "left out.",
    ),
)


def rows(files):
    readings = files.index(r"ClinicalReadings/(CHNCXR_\d{4}_[01])\.txt$")
    lungs = files.index(r"(?:^|/)(CHNCXR_\d{4}_[01])_mask\.png$", lost="masks of the lungs are")
    used = set()
    for image, name, number, digit in files.match(r"CXR_png/((CHNCXR_\d{4})_([01]))\.png$"):
        mask = lungs.get(name)
        used |= {image, mask}
        if name not in readings:
            files.tell(image, "its reading is not in this copy: age, sex and report are not known")
        if lungs and mask is None:
            files.tell(image, "its lungs are not outlined in this copy")
        with files.row(image):
            reading = tables.lines(readings[name]) if name in readings else []
            report = "\n".join(reading[1:])
            yield Row(
                id=name,
                subject=number,
                image=image,
                mask=masks.threshold(mask) if mask else None,
                classes=DATASET.labels[digit],
                assessed=("normal", "tuberculosis", *(("lung",) if mask else ())),
                texts=[Text(kind="report", answer=report)] if report else (),
                source={"file name": digit, "ClinicalReadings": reading},
                meta={"ClinicalReadings": reading[0]} if reading else {},
            )
    for file, lesion in files.match(r"(?:(Annotations)[^/]*/.*)?\.png$"):
        if file not in used:
            reason = (
                "the outline of one finding" if lesion else "no radiograph of this set in its folder CXR_png"
            )
            yield Skipped(file=file, reason=reason)


def miniature(make):
    # Readings are typed by hand; pictures are of three kinds; lung masks are from elsewhere and not for all.
    readings = (
        "male 45yrs\nnormal",
        "female24yrs\nnormal",
        "femal , 16month  \nbilateral secondary PTB\nATB",
    )
    kinds = (("0001_0", "P"), ("0002_0", "RGB"), ("0327_1", "P"))
    with make.zip("ChinaSet_AllFiles.zip") as inner:
        for (name, mode), reading in zip(kinds, readings, strict=True):
            inner.image(f"ChinaSet_AllFiles/CXR_png/CHNCXR_{name}.png", (44, 40), mode=mode)
            inner.text(f"ChinaSet_AllFiles/ClinicalReadings/CHNCXR_{name}.txt", reading)
    for name in ("0001_0", "0327_1"):
        make.image(f"mask/CHNCXR_{name}_mask.png", (44, 40), labels=(255,))
    make.image("Annotations/masks/CHNCXR_0327_1_Calcified_Nodule_2.png", (44, 40), labels=(255,))
