"""Phantoms of DICOM SEG and RTSTRUCT on the slices of a phantom series."""

import hashlib
import io

CLASSES = {"SEG": "1.2.840.10008.5.1.4.1.1.66.4", "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3"}
ORIGIN, SPACING = (-50.0, -60.0), 0.7
"""Of `Phantom.dicom_series`, in mm."""
TISSUE = {"CodeValue": "85756007", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Tissue"}


def structures(make, path, slices, drawn, patient, **tags):
    """Write an RTSTRUCT.

    Args:
        make: the phantom.
        path: of the file.
        slices: as `make.dicom_series` returns them.
        drawn: ROI name -> [(slice, low, high)]: squares in pixels; low = high is a point.
        patient: PatientID.
        tags: further tags, which win.
    """
    rois, contours = [], []
    for number, (name, squares) in enumerate(drawn.items(), 1):
        rois.append({"ROINumber": number, "ROIName": name})
        contours.append({"ReferencedROINumber": number, "ContourSequence": [_contour(slices, *one) for one in squares]})
    images = [{"ReferencedSOPInstanceUID": one["SOPInstanceUID"]} for one in slices]
    series = [{"SeriesInstanceUID": slices[0]["SeriesInstanceUID"], "ContourImageSequence": images}]
    study = [{"RTReferencedSeriesSequence": series}]
    frame = {"FrameOfReferenceUID": slices[0]["FrameOfReferenceUID"], "RTReferencedStudySequence": study}
    more = {"StructureSetROISequence": rois, "ROIContourSequence": contours} | tags
    more["RTROIObservationsSequence"] = [{"ReferencedROINumber": roi["ROINumber"]} for roi in rois]
    _write(make, path, "RTSTRUCT", patient, slices, {"ReferencedFrameOfReferenceSequence": [frame]} | more)


def _contour(slices, k, low, high):
    # Along the edges of pixels, so that no pixel's center lies on the outline.
    corners = [(low, low), (high, low), (high, high), (low, high)][: 1 if low == high else 4]
    corners = [(x - 0.5, y - 0.5) if low < high else (x, y) for x, y in corners]
    data = [value for x, y in corners for value in (ORIGIN[0] + SPACING * x, ORIGIN[1] + SPACING * y, slices[k]["z"])]
    image = {"ReferencedSOPInstanceUID": slices[k]["SOPInstanceUID"]}
    kind = "POINT" if low == high else "CLOSED_PLANAR"
    return {"ContourImageSequence": [image], "ContourGeometricType": kind, "ContourData": data}


def segmentation(make, path, slices, drawn, patient, size=(16, 12), **more):
    """Write a binary DICOM SEG; `drawn`: segment label -> [(slice, low, high)], squares in pixels; `more` tags win."""
    segments, frames, bits = [], [], []
    for number, (label, squares) in enumerate(drawn.items(), 1):
        about = {"SegmentNumber": number, "SegmentLabel": label, "SegmentAlgorithmType": "MANUAL"}
        segments.append(about | {f"SegmentedProperty{kind}CodeSequence": [TISSUE] for kind in ("Category", "Type")})
        for k, low, high in squares:
            position = {"ImagePositionPatient": [*ORIGIN, slices[k]["z"]]}
            frames.append(
                {
                    "FrameContentSequence": [{"DimensionIndexValues": [number, k + 1]}],
                    "PlanePositionSequence": [position],
                    "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": number}],
                }
            )
            bits += [low <= x < high and low <= y < high for y in range(size[1]) for x in range(size[0])]
    step = slices[1]["z"] - slices[0]["z"] if len(slices) > 1 else 2.5
    shared = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}],
        "PixelMeasuresSequence": [
            {"PixelSpacing": [SPACING, SPACING], "SliceThickness": step, "SpacingBetweenSlices": step}
        ],
    }
    packed = bytes(sum(bit << n for n, bit in enumerate(bits[start : start + 8])) for start in range(0, len(bits), 8))
    tags = {
        "FrameOfReferenceUID": slices[0]["FrameOfReferenceUID"],
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": "2.25.9"}],
        "DimensionIndexSequence": [
            {
                "DimensionOrganizationUID": "2.25.9",
                "DimensionIndexPointer": element,
                "FunctionalGroupPointer": group,
            }
            for element, group in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
        ],
        "SegmentationType": "BINARY",
        "SegmentSequence": segments,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
        "ReferencedSeriesSequence": [{"SeriesInstanceUID": slices[0]["SeriesInstanceUID"]}],
        "Rows": size[1],
        "Columns": size[0],
        "NumberOfFrames": len(frames),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "PixelRepresentation": 0,
        "PixelData": packed + b"\0" * (len(packed) % 2),
    }
    _write(make, path, "SEG", patient, slices, tags | more)


def slide(make, path, patient, size, tile=16, **tags):
    """Write a resolution of a DICOM slide, stained but for its right quarter; `size`: (columns, rows)."""
    import numpy

    across, along = -(-size[0] // tile), -(-size[1] // tile)
    glass = numpy.full((along * tile, across * tile, 3), 250, numpy.uint8)
    part = glass[: size[1], : size[0] * 3 // 4]
    part[:] = (200, 90, 160)
    part[..., 0] -= (numpy.arange(part.shape[1]) % 50).astype(numpy.uint8)
    frames = glass.reshape(along, tile, across, tile, 3).swapaxes(1, 2).reshape(-1, tile, tile, 3)
    values = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6",
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "TotalPixelMatrixColumns": size[0],
        "TotalPixelMatrixRows": size[1],
        "Rows": tile,
        "Columns": tile,
        "NumberOfFrames": len(frames),
        "DimensionOrganizationType": "TILED_FULL",
    }
    make.dicom(path, modality="SM", patient=patient, pixels=frames, tags=values | tags)


def dynamic(make, folder, points, patient, modality="MR", slices=3, **tags):
    """Write a series with several volumes at one place; `points`: the tags that set each of them apart."""
    series = f"2.25.{int.from_bytes(folder.encode()[-13:], 'big')}3"
    for number, point in enumerate(points, 1):
        make.dicom_series(
            folder,
            slices,
            modality=modality,
            patient=patient,
            names=f"{number}-{{:02d}}.dcm",
            seed=f"{folder}{number}",
            intercept=0,
            tags={"SeriesInstanceUID": series} | tags | point,
        )


def report(make, path, slices, patient, **tags):
    """Write a structured report without content."""
    _write(make, path, "SR", patient, slices, tags)


def compressed(make, folder, slices, syntax, **options):
    """Write a series as `make.dicom_series` does, its pixels compressed: `syntax` names it as pydicom.uid does."""
    import pydicom

    inner = type(make)()
    written = inner.dicom_series(folder, slices, **options)
    for path, data in inner.files.items():
        file, stream = pydicom.dcmread(io.BytesIO(data)), io.BytesIO()
        file.compress(getattr(pydicom.uid, syntax), generate_instance_uid=False)
        pydicom.dcmwrite(stream, file, enforce_file_format=True)
        make.bytes(path, stream.getvalue())
    return written


def _write(make, path, modality, patient, slices, tags):
    number = int(hashlib.sha256(path.encode()).hexdigest()[:30], 16)
    values = {
        "SOPClassUID": CLASSES.get(modality, "1.2.840.10008.5.1.4.1.1.88.22"),
        "SOPInstanceUID": f"2.25.{number}1",
        "SeriesInstanceUID": f"2.25.{number}2",
        "StudyInstanceUID": slices[0]["StudyInstanceUID"],
        "Modality": modality,
        "SeriesNumber": number % 1000 + 1,
        "PatientID": patient,
        "PatientName": "Phantom^Do-Not-Leak",
    }
    make.dicom_object(path, values | tags)
