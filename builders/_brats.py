"""The Brain Tumor Segmentation challenges: four co-registered sequences for each patient."""

from medimg.declaration import Dataset
from medimg.join import Join
from medimg.readers import nifti, volumes
from medimg.schema import Row

SEQUENCES = ("FLAIR", "T1", "T1ce", "T2")
"""Along the last axis, in the order of the file names' alphabet."""
KEYS = tuple(name.lower() for name in SEQUENCES)
CORE = ("whole brain tumor", "brain tumor core")
EDEMA = ("whole brain tumor", "peritumoral edema")
ENHANCING = (*CORE, "enhancing brain tumor")
SIZE = {"shape": (12, 10, 6), "spacing": (1, 1, 1)}


def challenge(core, **declaration):
    """The declaration of one year; `core` is what mask value 1 is called."""
    return Dataset(
        dimension="3d",
        modality="MRI",
        organ="brain",
        legend={1: (*CORE, core), 2: EDEMA, 4: ENHANCING},
        **declaration,
    )


def rows(case, describe, *, left=(), **lookups):
    r"""One row for each patient.

    Args:
        case: pattern of a patient's name, e.g. r"BraTS2021_\d+".
        describe: case -> what else the row says, with "split"; None where nothing tells the split. `case.part` is
            Training or Validation as the folder says, `case.grade` HGG or LGG. A label map is asked for where "split"
            is "train".
        left, lookups: of the join.
    """

    def row(case):
        own = describe(case)
        if own is None:
            return case.skip("neither its folder nor a label map says of which split it is")
        needed = {*KEYS, "seg"} if own["split"] == "train" else {*KEYS}
        if missing := sorted(needed - set(case.image)):
            return case.skip(f"its case has no {', '.join(missing)} in this copy")
        return Row(
            id=case.name,
            subject=case.name,
            image=volumes.stack([nifti.volume(case.image[key]) for key in KEYS]),
            mask=case.image.get("seg"),
            sequence=SEQUENCES,
            **own,
        )

    return Join(
        r"^(?:.*?(?P<part>Training|Validation)[^/]*/)?(?:.*?(?P<grade>HGG|LGG)/)?(?:.*/)?"
        rf"(?P<name>{case})_(?P<key>flair|t1|t1ce|t2|seg)\.nii(?:\.gz)?$",
        row,
        by="key",
        apart=("name",),
        again="a second file of one sequence of one case",
        left=left,
        **lookups,
    )


def patient(make, folder, *, labels=(2, 1, 4), keys=KEYS):
    """Write one patient; `labels` from outside to inside, None for a patient without label map."""
    case = folder.rpartition("/")[2]
    for key in keys:
        make.nifti(f"{folder}/{case}_{key}.nii.gz", low=0, high=1500, **SIZE)
    if labels:
        make.nifti(f"{folder}/{case}_seg.nii.gz", labels=labels, **SIZE)
