"""The chest radiographs of the National Library of Medicine: tuberculosis or not, and a reading."""

from medimg.declaration import Citation, Dataset
from medimg.join import Join, Partner
from medimg.schema import Text

LABELS = {"0": "normal", "1": "tuberculosis"}


def radiographs(**declaration):
    """The declaration of one of the two sets."""
    return Dataset(
        dimension="2d",
        modality="X-ray",
        organ=("chest", "lung"),
        license="LicenseRef-NLM",
        homepage="https://lhncbc.nlm.nih.gov/LHC-downloads/downloads.html#tuberculosis-image-data-sets",
        citation=Citation(
            title="Two public chest X-ray datasets for computer-aided screening of pulmonary diseases",
            authors="Jaeger S, Candemir S, Antani S, Wang YXJ, Lu PX, Thoma G",
            venue="Quantitative Imaging in Medicine and Surgery 4(6):475-477",
            year=2014,
            doi="10.3978/j.issn.2223-4292.2014.11.20",
        ),
        labels=LABELS,
        **declaration,
    )


def rows(head, row, **beside):
    """`rows` of a set whose files begin with `head`; `beside`: of the join, which has the reading."""
    return Join(
        rf"CXR_png/(?P<name>(?P<number>{head}_\d{{4}})_(?P<digit>[01]))\.png$",
        row,
        reading=Partner(
            rf"ClinicalReadings/(?P<name>{head}_\d{{4}}_[01])\.txt$",
            tell="its reading is not in this copy: age, sex and report are not known",
            orphan="a reading whose radiograph is not in this copy",
        ),
        **beside,
    )


def label(case, reading, report):
    """Fields of a row.

    Args:
        case: of the join.
        reading: its lines.
        report: those of them that tell what is seen.
    """
    return {
        "classes": (LABELS[case.digit],),
        "texts": [Text(kind="report", answer="\n".join(report))] if report else (),
        "source": {"file name": case.digit, "ClinicalReadings": reading},
    }
