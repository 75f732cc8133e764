"""CHAOS: ground truth as PNG files against slices as DICOM files, and the miniature."""

from medimg.errors import LabelError
from medimg.readers import dicom, masks, raster

# MRI: the gray value of each organ may lie in a range around 63, 126, 189 or 252.
RANGES = {0: (0,), 1: range(55, 71), 2: range(110, 136), 3: range(175, 201), 4: range(240, 256)}
GRAYS = {gray: value for value, grays in RANGES.items() for gray in grays}


def mask(named, truths, ct):
    """The ground truth, in the order in which the slices that name it lie in space."""
    if len(named) != len(truths):
        raise LabelError(f"{len(named)} slices, but {len(truths)} files of ground truth", file=named[0].path)
    of = dict(zip(named, truths, strict=True))
    ordered = [of[item.file] for item in dicom.series(named).plan.slices]
    return raster.stack([masks.threshold(file, 1) if ct else masks.mask(file, GRAYS) for file in ordered])


def miniature(make):
    # File names count against space and differ between cases; those out of phase are numbered in between.
    usual, other, even, odd = "i{:04d},0000b", "IMG-0002-{:05d}", "IMG-0004-{:04d}2", "IMG-0004-{:04d}1"
    scans = (("CT/1", usual, 255), ("CT/21", other, 255), ("MR/1/T1DUAL", even, 0), ("MR/1/T2SPIR", other, 0))
    with make.zip("CHAOS_Train_Sets.zip") as inner:
        for case, names, gray in scans:
            _scan(inner, f"Train_Sets/{case}", names, "/InPhase" if case.endswith("DUAL") else "")
            for rank in range(4):
                # The first is empty, as ground truth is beyond an organ; that of CT has one bit and other names.
                # Grays of MRI lie in ranges.
                grays = (70, 110, 200, 240) if case.endswith("SPIR") else (63, 126, 189, 252)
                labels = () if not rank else (gray,) if gray else grays
                name = f"liver_GT_{rank:03d}" if gray else names.format(rank + 1)
                mask = {"labels": labels, "mode": "1" if gray else "L", "nested": not rank}
                inner.image(f"Train_Sets/{case}/Ground/{name}.png", (16, 12), **mask)
        _scan(inner, "Train_Sets/MR/1/T1DUAL", odd, "/OutPhase")
    with make.zip("CHAOS_Test_Sets.zip") as inner:
        for case, names, phase in (
            ("CT/3", usual, ""),
            ("MR/4/T1DUAL", even, "/InPhase"),
            ("MR/4/T2SPIR", even, ""),
        ):
            _scan(inner, f"Test_Sets/{case}", names, phase)


def _scan(make, case, names, phase):
    modality = case.split("/")[1]
    more = {"modality": modality, "patient": case, "names": names + ".dcm"}
    if modality == "MR":
        more |= {"intercept": 0, "tags": {"EchoTime": 2.3 if phase == "/OutPhase" else 4.6}}
    make.dicom_series(f"{case}/DICOM_anon{phase}", **more)
