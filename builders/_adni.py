"""ADNI: the diagnosis, whose column and coding change with the phase of the study."""

NORMAL, IMPAIRED, DEMENTIA, ALZHEIMER = (
    "cognitively normal",
    "mild cognitive impairment",
    "dementia",
    "Alzheimer's disease",
)
CODES = {
    "DIAGNOSIS": {"1": NORMAL, "2": IMPAIRED, "3": DEMENTIA},
    # What a person changed to is what a person has.
    "DXCHANGE": dict(
        zip(
            "123456789",
            (NORMAL, IMPAIRED, DEMENTIA, IMPAIRED, DEMENTIA, DEMENTIA, NORMAL, IMPAIRED, NORMAL),
            strict=True,
        )
    ),
    "DXCURREN": {"1": NORMAL, "2": IMPAIRED, "3": ALZHEIMER},
}
"""Column of DXSUM -> code -> canonical name: ADNI 3, ADNI GO and 2, ADNI 1."""
GROUPS = {
    "CN": NORMAL,
    "NL": NORMAL,
    "MCI": IMPAIRED,
    "EMCI": "early mild cognitive impairment",
    "LMCI": "late mild cognitive impairment",
    "SMC": "significant memory concern",
    "AD": ALZHEIMER,
    "Dementia": DEMENTIA,
}
"""Research group of the image search, and DX of ADNIMERGE -> canonical name."""
MISSING = ("", "-4", "-4.0", "-1", "NA")


def diagnosis(record):
    """(canonical name, its alternatives, what the source says) of a row of DXSUM; None where it says nothing."""
    for column, codes in CODES.items():
        said = record.get(column, "").strip().removesuffix(".0")
        if said not in MISSING:
            return codes[said], tuple(dict.fromkeys(codes.values())), {column: said}
    return None


def group(said):
    """As `diagnosis`, of a research group."""
    said = (said or "").strip()
    if said in MISSING:
        return None
    return GROUPS[said], tuple(dict.fromkeys((NORMAL, IMPAIRED, ALZHEIMER, GROUPS[said]))), {"Group": said}
