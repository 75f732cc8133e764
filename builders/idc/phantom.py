"""Miniatures of collections of the Imaging Data Commons: real identifiers, phantom pixels."""

import functools

from medimg.builders import _tcia_phantom
from medimg.builders.idc.index import OBJECTS, kind

MOST = 24
"""Most series of a patient."""


def patient(make, name, held):
    """Write the images of a patient and what is drawn on them.

    Args:
        make: the phantom.
        name: PatientID.
        held: series of the index.
    """
    written = {one.uid: PHANTOM[kind(one)](make, one) for one in held if kind(one)}
    volumes = [one for one in held if kind(one) == "volumes"]
    for one in (each for each in held if each.modality in OBJECTS and volumes):
        near = next((each for each in volumes if each.study == one.study), volumes[0])
        path = f"{one.folder}/i{one.uid[-12:]}.dcm"
        tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study}
        if one.modality == "RTSTRUCT":
            rois = {"GTV-1": [(1, 3, 6)], "Outline": [(0, 1, 9), (1, 1, 9)], "iso": [(0, 4, 4)]}
            _tcia_phantom.structures(make, path, written[near.uid], rois, name, **tags)
        else:
            squares = {"1": [(1, 3, 6), (2, 3, 6)], "2": [(1, 5, 9)]}
            tags |= {"SegmentSequence": SEGMENTS}
            _tcia_phantom.segmentation(make, path, written[near.uid], squares, name, **tags)


def _phantom_volume(make, one):
    tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "SOPClassUID": one.sop_class}
    return make.dicom_series(
        one.folder,
        4,
        modality=one.modality,
        patient=one.patient,
        names=f"i{one.uid[-6:]}-{{:04d}}.dcm",
        tags=tags | ({"BodyPartExamined": one.body_part} if one.body_part else {}),
        intercept=-1024 if one.modality == "CT" else 0,
    )


def _phantom_image(make, one, frames=1):
    tags = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "SOPClassUID": one.sop_class}
    if frames > 1:
        tags |= {"NumberOfFrames": frames, "Rows": 12}
    make.dicom(
        f"{one.folder}/i{one.uid[-6:]}.dcm",
        (16, 12 * frames),
        modality=one.modality,
        patient=one.patient,
        dtype="uint16",
        tags=tags,
    )


def _phantom_slide(make, one):
    for scale in (1, 2):
        spacing = {"PixelMeasuresSequence": [{"PixelSpacing": [0.0005 * scale, 0.0005 * scale]}]}
        _tcia_phantom.slide(
            make,
            f"{one.folder}/i{one.uid[-6:]}-{scale}.dcm",
            one.patient,
            (72 // scale, 40 // scale),
            SeriesInstanceUID=one.uid,
            StudyInstanceUID=one.study,
            SharedFunctionalGroupsSequence=[spacing],
        )


PHANTOM = {
    "volumes": _phantom_volume,
    "images": _phantom_image,
    "cines": functools.partial(_phantom_image, frames=3),
    "slides": _phantom_slide,
}


def _item(value, meaning):
    return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}


SEGMENTS = [
    {
        "SegmentNumber": number,
        "SegmentLabel": meaning,
        "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": [_item("49755003", "Morphologically Altered Structure")],
        "SegmentedPropertyTypeCodeSequence": [_item(code, meaning)],
    }
    for number, (code, meaning) in enumerate([("108369006", "Neoplasm"), ("0", "Phantom structure")], 1)
]
