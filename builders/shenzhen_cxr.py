"""Shenzhen chest X-rays: frontal radiographs of Shenzhen No. 3 People's Hospital, China.

326 are normal and 336 show manifestations of tuberculosis; each has a short clinical reading.
"""

from medimg.builders import _nlm_cxr
from medimg.declaration import Evidence, Source
from medimg.join import Partner
from medimg.readers import masks, tables
from medimg.schema import Row

DATASET = _nlm_cxr.radiographs(
    name="shenzhen-cxr",
    title="Shenzhen Hospital Chest X-ray Set",
    aliases=("Shenzhen Hospital-Xray", "ChinaSet_AllFiles", "ChinaSet", "CHNCXR", "SZ-CXR", "SZ-CXR"),
    task="classification",
    sources=(
        Source(url="https://openi.nlm.nih.gov/imgs/collections/ChinaSet_AllFiles.zip"),
        Source(url="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/", kind="page"),
        Source(url="https://www.kaggle.com/datasets/yoctoman/shcxr-lung-mask", kind="page"),
    ),
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
        "The outlines of lesions that NLM added in 2022 (Annotations) are one file per finding and are left out.",
    ),
)


def row(case):
    reading = tables.lines(case.reading) if case.reading else []
    assessed = ("normal", "tuberculosis")
    if case.mask:
        assessed += ("lung",)
    return Row(
        id=case.name,
        subject=case.number,
        image=case.image,
        mask=masks.threshold(case.mask) if case.mask else None,
        assessed=assessed,
        meta={"ClinicalReadings": reading[0]} if reading else {},
        **_nlm_cxr.label(case, reading, reading[1:]),
    )


rows = _nlm_cxr.rows(
    "CHNCXR",
    row,
    mask=Partner(
        r"(?:^|/)(?P<name>CHNCXR_\d{4}_[01])_mask\.png$",
        lost="masks of the lungs are",
        tell="its lungs are not outlined in this copy",
    ),
    left=[
        (r"Annotations[^/]*/.*\.png$", "the outline of one finding"),
        (r"\.png$", "no radiograph of this set in its folder CXR_png"),
    ],
)


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
