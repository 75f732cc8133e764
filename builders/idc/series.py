"""One series of the Imaging Data Commons: what it is, and its rows."""

import functools

from medimg import vocab
from medimg.builders import _tcia
from medimg.builders.idc.index import NO_IMAGES, OBJECTS, RAW, modality
from medimg.errors import MedimgError, UnknownTermError
from medimg.readers import dicom, dicom_seg, dicom_stacks, drawn
from medimg.schema import Row, Skipped, skipped

TITLE = {"volumes": "Volumes", "images": "Single images", "cines": "Frames in order", "slides": "Slides"}


def excluded(series):
    """Why a series of the index is no row."""
    return "raw data, no image" if series.sop_class == RAW else "a secondary capture: a picture of a screen"


def unknown(tags):
    """Why a series that the index does not list is no row."""
    if "problem" in tags:
        return f"quarantined: {tags['problem']}"
    if tags.get("Modality") in NO_IMAGES - OBJECTS:
        return _tcia.SUPPLEMENTS.get(tags["Modality"], f"{tags['Modality']}, no image of its own")
    return "not in the index, or not selected: so its license is not known"


@functools.cache
def _codes():
    return {term.snomed: id for id in vocab.label if (term := vocab.label[id]).snomed}


def _called(text):
    """The vocabulary's name of a text, None where it has none."""
    try:
        return vocab.label.resolve(text) if text else None
    except UnknownTermError:
        return None


@functools.cache
def _drawable():
    """What free text may name: places and lesions. "Other" or "normal" says nothing of what was drawn."""
    lesions = {"lesion", *vocab.label.descendants("lesion", ("is_a",))}
    return lesions | {*vocab.organ, *vocab.structure}


def _coded(code):
    if code is None:
        return None
    return _codes().get(dicom_seg.snomed(code)) or _called(code.meaning)


def names(part):
    """Canonical names of what was drawn: by code, with side and place where the vocabulary has such a term."""
    kind = _coded(part.segment.type) if part.segment else None
    if kind is None:
        found = _called(part.name)
        return (found,) if found in _drawable() else ("unmapped structure",)
    sides = [code.meaning for code in part.segment.modifiers]
    places = [_coded(code) for code in part.segment.anatomy]
    for word in [*sides, *(place for place in places if place)]:
        if narrower := _called(f"{word} {kind}"):
            return (narrower,)
    return (kind,)


def _volumes(members, one, fields, held):
    said = {}
    try:
        _, tags = next(dicom.headers(members[:1]))
    except MedimgError as error:
        yield from skipped(members, f"quarantined: {error.problem}")
        return
    if "LOCALIZER" in str(tags.get("ImageType", "")).upper():
        yield from skipped(members, "a localizer")
        return
    single = len(members) == 1
    if single and int(tags.get("NumberOfFrames") or 1) < 2:
        yield from skipped(members, "a series of one image: a scout, no volume")
        return
    for stack in dicom_stacks.stacks(members):
        if single:
            image = dicom.multiframe(members[0], allow_gaps=True)
        else:
            image = dicom.series(stack.files, allow_gaps=True)
        label = {"assessed": ()}
        if held:
            drawing = drawn.Drawing(image, tuple(file for file, _ in held))
            try:
                label = _label(drawing, held)
                said |= drawing.failed
                if not drawing.meanings:
                    said = {file: "it holds no voxel of the image" for file, _ in held} | said
            except MedimgError as error:  # of the image: its row tells
                said |= {file: error.problem for file, _ in held}
        yield Row(
            id=stack.name(one.patient, one.uid),
            subject=one.patient,
            image=image,
            modality=modality(one),
            meta=_meta(one, tags) | stack.apart,
            **fields,
            **label,
        )
    for file, problem in said.items():
        yield Skipped(file=file, reason=f"left out of the mask: {problem}")


def _label(drawing, held):
    objects = {file: {"object": file.path, "license": one.license, "parts": []} for file, one in held}
    for part, value in drawing.parts.items():
        entry = {"value": value, "number": part.number, "name": part.name}
        if part.segment is not None:
            coded = {"type": part.segment.type, "category": part.segment.category}
            entry |= {key: list(code) for key, code in coded.items() if code}
            lists = {"anatomy": part.segment.anatomy, "modifiers": part.segment.modifiers}
            entry |= {key: [list(code) for code in codes] for key, codes in lists.items() if codes}
        objects[part.file]["parts"].append(entry)
    if not drawing.meanings:
        return {"assessed": ()}
    called = {value: names(part) for part, value in drawing.parts.items()}
    lost = {drawing.parts[part] for part in drawing.vanished}
    source = {"objects": [one for one in objects.values() if one["parts"]]}
    if met := {value: some for value, some in drawing.meanings.items() if len(some) > 1}:
        source["combinations"] = met
    return {
        "mask": drawing.mask,
        "legend": drawing.legend(called),
        "assessed": tuple(dict.fromkeys(name for value, some in called.items() if value not in lost for name in some)),
        "source": source,
    }


def _images(members, one, fields, held):
    for n, file in enumerate(members, 1):
        yield Row(
            id="_".join([one.patient, one.uid, *([str(n)] if len(members) > 1 else [])]),
            subject=one.patient,
            image=dicom.picture(file),
            modality=modality(one),
            assessed=(),
            meta=_meta(one),
            **fields,
        )


def _cines(members, one, fields, held):
    for row in _images(members, one, fields, held):
        (file,) = row.image.files()
        yield row.model_copy(update={"image": dicom.multiframe(file, allow_gaps=True)})


def _slides(members, one, fields, held):
    return _tcia.tiles(members, f"{one.patient}_{one.uid}", one.patient, _meta(one), modality=modality(one), **fields)


def _meta(one, tags=None):
    about = {"SeriesInstanceUID": one.uid, "StudyInstanceUID": one.study, "series_aws_url": one.address}
    return about | (_tcia.said(tags) if tags else {})


READ = {"volumes": _volumes, "images": _images, "cines": _cines, "slides": _slides}
