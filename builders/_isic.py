"""The ISIC challenges: names that several years share."""

from itertools import combinations

from medimg.declaration import Dataset, Source

SPLITS = {"Training": "train", "Validation": "validation", "Test": "test"}
OLD_HOST = "https://isic-challenge-data.s3.amazonaws.com"
SITE = "ImageMarkup/stade@cf20329"
COUNTED_2016_2017 = (
    "749 of 900 training and 305 of 379 test ids of 2016 are in the training and validation lists of 2017 "
    "(pavankumarudhayagiri-wq/skincancer@fbe555b, Gabrie1Xia/CIS-519-Project@38b538c, "
    "walidbousseta/image_mining@04943b8)"
)
COUNTED_2016_2019 = (
    "859 of 900 training and 353 of 379 test ids of 2016 are in the training list of 2019, some with _downsampled "
    "(pavankumarudhayagiri-wq/skincancer@fbe555b, Gabrie1Xia/CIS-519-Project@38b538c, ToreGore/AI-Health@ed69a65)"
)
COUNTED_2018_2019 = (
    "task 3: 7,470 training ids, one for each lesion, are in the training list of 2019; those of its validation "
    "and test sets are not (GordoEnForma/dcp-training@d16401e, ToreGore/AI-Health@ed69a65)"
)
"""What years share, by the ids in public copies of their tables."""

DIAGNOSES = {
    "MEL": "melanoma",
    "NV": "melanocytic nevus",
    "BCC": "basal cell carcinoma",
    "AKIEC": "actinic keratosis or intraepithelial carcinoma",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular skin lesion",
}
"""Columns of the answers of 2018; the same in lower case in HAM10000."""

DIAGNOSES_2019 = {
    **{code: DIAGNOSES[code] for code in ("MEL", "NV", "BCC")},
    "AK": "actinic keratosis",
    **{code: DIAGNOSES[code] for code in ("BKL", "DF", "VASC")},
    "SCC": "squamous cell carcinoma of skin",
}
"""Columns of 2019 but the last, UNK; the codes of BCN20000."""

ATTRIBUTES = {
    "pigment_network": "pigment network",
    "negative_network": "negative network",
    "milia_like_cyst": "milia-like cyst",
    "streaks": "streaks",
    "globules": "globules",
}

BITS = {attribute: 1 << n for n, attribute in enumerate(ATTRIBUTES)}
"""Attribute -> its value in one label map; where several meet, their sum."""

MEETING = {values: sum(values) for count in range(2, len(BITS) + 1) for values in combinations(BITS.values(), count)}

LESION = {1: ("skin lesion",)}
"""Of the outlines of whole lesions."""
LEGEND = {
    value: tuple(ATTRIBUTES[attribute] for attribute, bit in BITS.items() if value & bit)
    for value in range(1, 1 << len(BITS))
}


def challenge(year, names, *, mirrored=(), **declaration):
    """The declaration of one year.

    Args:
        year: of the challenge.
        names: files of the archive.
        mirrored: sources that stand before them.
    """
    page = f"https://challenge.isic-archive.com/data/#{year}"
    return Dataset(
        dimension="2d",
        modality="dermoscopy",
        organ="skin",
        sources=(
            *mirrored,
            *(Source(url=f"https://isic-archive.s3.amazonaws.com/challenges/{year}/{name}") for name in names),
            Source(url=page, kind="page"),
        ),
        **declaration,
    )


def diagnoses(answer, names=DIAGNOSES):
    """What a row of numbers says, each of which is 1 or 0.

    Args:
        answer: a line of a table.
        names: column -> diagnosis.

    Raises:
        FormatError: a cell is neither: a score is no diagnosis.
    """
    numbers = {column: answer.number(column) for column in names}
    for column, number in numbers.items():
        if number not in (0, 1):
            raise answer.wrong(column, "is neither 0 nor 1")
    return [names[column] for column, number in numbers.items() if number == 1]
