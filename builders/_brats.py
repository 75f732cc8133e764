"""The Brain Tumor Segmentation challenges: four co-registered sequences for each patient."""

from medimg.readers import nifti, volumes
from medimg.schema import Row, Skipped

SEQUENCES = ("FLAIR", "T1", "T1ce", "T2")
"""Along the last axis, in the order of the file names' alphabet."""
KEYS = tuple(name.lower() for name in SEQUENCES)
CORE = ("whole brain tumor", "brain tumor core")
EDEMA = ("whole brain tumor", "peritumoral edema")
ENHANCING = (*CORE, "enhancing brain tumor")
SIZE = {"shape": (12, 10, 6), "spacing": (1, 1, 1)}


def rows(files, pattern, describe):
    """One row for each patient.

    Args:
        files: the source.
        pattern: of a file's path up to the sequence; its last group is the case.
        describe: case, the other groups -> what else the row says, with "split"; None where nothing tells the
            split. A label map is asked for where "split" is "train".
    """
    found = {}
    for file, *about, case, key in files.match(pattern + r"_(flair|t1|t1ce|t2|seg)\.nii(?:\.gz)?$"):
        parts, _ = found.setdefault(case, ({}, about))
        if key in parts:
            yield Skipped(file=file, reason=f"a second {key} of one case")
            continue
        parts[key] = file
    for case, (parts, about) in found.items():
        with files.row(*parts.values()):
            own = describe(case, *about)
            if own is None:
                reason = "neither its folder nor a label map says of which split it is"
                yield from (Skipped(file=file, reason=reason) for file in parts.values())
                continue
            needed = {*KEYS, "seg"} if own["split"] == "train" else set(KEYS)
            if missing := sorted(needed - set(parts)):
                reason = f"its case has no {', '.join(missing)} in this copy"
                yield from (Skipped(file=file, reason=reason) for file in parts.values())
                continue
            yield Row(
                id=case,
                image=volumes.stack([nifti.volume(parts[key]) for key in KEYS]),
                mask=parts.get("seg"),
                sequence=SEQUENCES,
                **own,
            )


def patient(make, folder, *, labels=(2, 1, 4), keys=KEYS):
    """Write one patient; `labels` from outside to inside, None for a patient without label map."""
    case = folder.rpartition("/")[2]
    for key in keys:
        make.nifti(f"{folder}/{case}_{key}.nii.gz", low=0, high=1500, **SIZE)
    if labels:
        make.nifti(f"{folder}/{case}_seg.nii.gz", labels=labels, dtype="uint8", **SIZE)
