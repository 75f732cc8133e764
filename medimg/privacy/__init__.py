"""The gate through which all passes that is published: what a list names stays, all else is left out and counted.

Keys of `meta` and `label.source` are those that the declaration names (`Dataset.keys`), keys of headers those of
`HEADER`. Text inside image, volume and video files is taken out by `medimg.containers`; pixels never change. DICOM
follows the Basic Application Level Confidentiality Profile (PS3.15, annex E): UIDs are replaced by others, always by
the same; dates, names and free text are not on the list. Kept are sex, age and weight (its Retain Patient
Characteristics Option), with every age over 89 told as "90+", and what it says of the device. `SeriesInstanceUID`
stays where the declaration names it among its keys, which it does where the source itself publishes it as the public
key of its images: The Cancer Imaging Archive, the Imaging Data Commons, and what was made of them.
"""

from medimg.privacy.identity import identifying
from medimg.privacy.pixels import check_burned_in, stripped
from medimg.privacy.values import HEADER, Gate, Left, gate, other_uid
from medimg.privacy.words import Words

__all__ = [
    "HEADER",
    "Gate",
    "Left",
    "Words",
    "check_burned_in",
    "gate",
    "identifying",
    "other_uid",
    "stripped",
]
