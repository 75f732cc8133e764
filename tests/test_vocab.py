from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medimg import vocab
from medimg.errors import UnknownTermError
from medimg.vocab import Vocabulary, normalize

SHARED = Path(__file__).parents[1].parent / "shared"
FILES = (vocab.modality, vocab.organ, vocab.task, vocab.structure, vocab.finding)
ALL = (*FILES, vocab.label)
EVERY_TERM = [(vocabulary, id_) for vocabulary in FILES for id_ in vocabulary]

# What the sources print -> the name it means. ALONE: the text resolves by itself. MAPPED: names for what is
# too general to be a synonym (mask value 2 of LiTS is "tumor") and is mapped by the builder.
ALONE = {
    "3dlsc-covid": {"COVID-19": "COVID-19", "CAP": "community-acquired pneumonia", "healthy": "normal"},
    "4d-lung": {"tumor": "tumor", "carina": "carina", "vertebra": "vertebra", "cord": "spinal cord"}
    | {"lungs": "lung", "oesophagus": "esophagus", "gold markers": "fiducial marker", "LN": "lymph node"},
    "abdomenct-1k": {"liver": "liver", "kidney": "kidney", "spleen": "spleen", "pancreas": "pancreas"},
    "abide": {"autism": "autism spectrum disorder", "control": "healthy control"},
    "acdc": {"NOR": "normal", "MINF": "myocardial infarction", "DCM": "dilated cardiomyopathy"}
    | {"HCM": "hypertrophic cardiomyopathy", "ARV": "abnormal right ventricle"}
    | {
        "RV cavity": "right ventricle cavity",
        "myocardium": "myocardium",
        "LV cavity": "left ventricle cavity",
    },
    "acrin-flt-breast": {"pCR": "complete pathologic response"},
    "adni": {"CN": "cognitively normal", "NL": "cognitively normal", "MCI": "mild cognitive impairment"}
    | {"AD": "Alzheimer's disease", "Dementia": "dementia", "SMC": "significant memory concern"}
    | {"EMCI": "early mild cognitive impairment", "LMCI": "late mild cognitive impairment"},
    "bcn20000": {"MEL": "melanoma", "NV": "melanocytic nevus", "BCC": "basal cell carcinoma"}
    | {"AK": "actinic keratosis", "BKL": "benign keratosis", "DF": "dermatofibroma"}
    | {"VASC": "vascular skin lesion", "SCC": "squamous cell carcinoma of skin"},
    "bcnb": {"N0": "no lymph node metastasis", "N+(1-2)": "one or two lymph node metastases"}
    | {"N+(>2)": "more than two lymph node metastases", "HER2 2+": "HER2 expression 2+"},
    "blood-cells": {"EOSINOPHIL": "eosinophil", "LYMPHOCYTE": "lymphocyte", "MONOCYTE": "monocyte"}
    | {"NEUTROPHIL": "neutrophil", "BASOPHIL": "basophil"}
    | {"WBC": "white blood cell", "RBC": "red blood cell", "Platelets": "platelet"},
    "brats2019": {
        "ET enhancing tumour"[3:]: "enhancing brain tumor",
        "peritumoural edema": "peritumoral edema",
    }
    | {"necrotic and non-enhancing core": "necrotic and non-enhancing brain tumor core"},
    "brats2021": {"NCR": "necrotic brain tumor core", "necrotic core": "necrotic brain tumor core"}
    | {"edema / invaded tissue": "peritumoral edema", "ET": "enhancing brain tumor"},
    "busi": {"benign": "benign lesion", "malignant": "malignant lesion", "normal": "normal"},
    "camus": {"LV endocardium": "left ventricle cavity", "left atrium": "left atrium"},
    "chaos": {"right kidney": "right kidney", "left kidney": "left kidney"},
    "chestx-ray14": {"Atelectasis": "atelectasis", "Cardiomegaly": "cardiomegaly"}
    | {
        "Effusion": "pleural effusion",
        "Infiltration": "pulmonary infiltrate",
        "Infiltrate": "pulmonary infiltrate",
    }
    | {"Pneumonia": "pneumonia", "Pneumothorax": "pneumothorax", "Consolidation": "consolidation"}
    | {"Emphysema": "emphysema", "Fibrosis": "pulmonary fibrosis", "Pleural_Thickening": "pleural thickening"}
    | {"Hernia": "hernia", "No Finding": "no finding"},
    "chexpert": {"Enlarged Cardiomediastinum": "enlarged cardiomediastinum", "Lung Opacity": "lung opacity"}
    | {"Lung Lesion": "lung lesion", "Pleural Effusion": "pleural effusion", "Fracture": "fracture"}
    | {"Pleural Other": "other pleural abnormality", "Support Devices": "support device"},
    "covid-chestxray": {"Pneumonia/Viral/COVID-19": "COVID-19", "Pneumonia/Viral/SARS": "SARS"}
    | {"Pneumonia/Bacterial/Streptococcus": "streptococcal pneumonia", "Tuberculosis": "tuberculosis"}
    | {
        "Mycoplasma Bacterial Pneumonia": "mycoplasma pneumonia",
        "ARDS": "acute respiratory distress syndrome",
    }
    | {"Pneumocystis": "pneumocystis pneumonia", "Lipoid": "lipoid pneumonia", "E.Coli": "E. coli pneumonia"}
    | {
        "Varicella": "varicella pneumonia",
        "Influenza": "influenza pneumonia",
        "Bacterial": "bacterial pneumonia",
    }
    | {"Klebsiella": "klebsiella pneumonia", "Legionella": "legionella pneumonia"}
    | {"Chlamydophila": "chlamydophila pneumonia", "Pneumonia/Aspiration": "aspiration pneumonia"},
    "covid-ctset": {"covid": "COVID-19"},
    "cq500": {"ICH": "intracranial hemorrhage", "IPH": "intraparenchymal hemorrhage"}
    | {"IVH": "intraventricular hemorrhage", "SDH": "subdural hemorrhage", "EDH": "epidural hemorrhage"}
    | {"SAH": "subarachnoid hemorrhage", "BleedLocation-Left": "left intracranial hemorrhage"}
    | {
        "BleedLocation-Right": "right intracranial hemorrhage",
        "ChronicBleed": "chronic intracranial hemorrhage",
    }
    | {"CalvarialFracture": "calvarial fracture", "OtherFracture": "other skull fracture"}
    | {"MassEffect": "mass effect", "MidlineShift": "midline shift"},
    "drive": {"field of view": "field of view"},
    "dsb2018": {"nucleus": "nucleus", "nuclei": "nucleus"},
    "ham10000": {"akiec": "actinic keratosis or intraepithelial carcinoma", "bkl": "benign keratosis"}
    | {"melanocytic nevi": "melanocytic nevus", "vascular lesions": "vascular skin lesion"},
    "hc18": {"fetal head": "fetal head"},
    "hyperkvasir": {
        "barretts": "Barrett's esophagus",
        "barretts-short-segment": "short-segment Barrett's esophagus",
    }
    | {"short-segment-barretts": "short-segment Barrett's esophagus", "bbps-0-1": "bowel preparation 0-1"}
    | {"bbps-2-3": "bowel preparation 2-3", "cecum": "cecum", "dyed-lifted-polyps": "dyed lifted polyp"}
    | {"dyed-resection-margins": "dyed resection margin", "esophagitis-a": "esophagitis grade A"}
    | {"oesophagitis-b-d": "esophagitis grade B-D", "hemorrhoids": "hemorrhoids", "hemorroids": "hemorrhoids"}
    | {"ileum": "ileum", "impacted-stool": "impacted stool", "polyps": "polyp", "pylorus": "pylorus"}
    | {
        "retroflex-rectum": "retroflexed rectum",
        "retroflex-stomach": "retroflexed stomach",
        "z-line": "z-line",
    }
    | {f"ulcerative-colitis-grade-{grade}": f"ulcerative colitis grade {grade}" for grade in ("0-1", "1", "1-2")}
    | {f"ulcerative-colitis-grade-{grade}": f"ulcerative colitis grade {grade}" for grade in ("2", "2-3", "3")},
    "idrid": {"MA": "microaneurysm", "EX": "hard exudate", "HE": "retinal hemorrhage", "SE": "soft exudate"}
    | {"OD": "optic disc", "DR grade 4": "proliferative diabetic retinopathy", "fovea": "fovea"},
    "iseg2019": {"CSF": "cerebrospinal fluid", "grey matter": "gray matter", "white matter": "white matter"},
    "isic-2016": {"globules": "globules", "streaks": "streaks"},
    "isic-2017": {"network": "pigment network", "negative network": "negative network"}
    | {"milia-like cysts": "milia-like cyst", "seborrheic_keratosis": "seborrheic keratosis"},
    "isic-2018": {"pigment_network": "pigment network", "milia_like_cyst": "milia-like cyst"}
    | {"AKIEC": "actinic keratosis or intraepithelial carcinoma"},
    "isic-2020": {
        "atypical melanocytic proliferation": "atypical melanocytic proliferation",
        "nevus": "melanocytic nevus",
    }
    | {
        "cafe-au-lait macule": "cafe-au-lait macule",
        "lentigo NOS": "lentigo",
        "solar lentigo": "solar lentigo",
    }
    | {"lichenoid keratosis": "lichenoid keratosis", "seborrheic keratosis": "seborrheic keratosis"},
    "kvasir-v2": {"normal-cecum": "cecum", "normal-pylorus": "pylorus", "normal-z-line": "z-line"}
    | {"esophagitis": "esophagitis", "ulcerative-colitis": "ulcerative colitis"},
    "lag": {"suspicious glaucoma": "suspected glaucoma"},
    "lidc-idri": {"non-nodule": "no lung nodule"},
    "luna16": {"trachea": "trachea", "airways": "airway"},
    "malaria-cells": {"Parasitized": "parasitized red blood cell", "Uninfected": "uninfected red blood cell"},
    "medmnist-v2": {"normal, benign": "no malignancy", "femur-left": "left femur", "bladder": "bladder"}
    | {"lung-right": "right lung", "kidney-left": "left kidney", "erythroblast": "erythroblast"}
    | {"immature granulocytes(myelocytes, metamyelocytes and promyelocytes)": "immature granulocyte"}
    | {"buckle rib fracture": "buckle rib fracture", "nondisplaced rib fracture": "nondisplaced rib fracture"}
    | {"displaced rib fracture": "displaced rib fracture", "drusen": "drusen"}
    | {"choroidal neovascularization": "choroidal neovascularization"}
    | {"diabetic macular edema": "diabetic macular edema", "inhibitory synapse": "inhibitory synapse"}
    | {"excitatory synapse": "excitatory synapse", "vessel": "blood vessel", "aneurysm": "aneurysm"}
    | {"Collecting Duct, Connecting Tubule": "collecting duct or connecting tubule"}
    | {"Distal Convoluted Tubule": "distal convoluted tubule", "Podocytes": "podocyte"}
    | {"Glomerular endothelial cells": "glomerular endothelial cell", "Leukocytes": "white blood cell"}
    | {"Interstitial endothelial cells": "interstitial endothelial cell"}
    | {"Proximal Tubule Segments": "proximal tubule segment", "Thick Ascending Limb": "thick ascending limb"}
    | {"pleural": "pleural thickening", "benign keratosis-like lesions": "benign keratosis"},
    "mhist": {"HP": "hyperplastic polyp", "SSA": "sessile serrated adenoma"},
    "mmwhs": {"LV myocardium": "left ventricle myocardium", "LA blood cavity": "left atrium cavity"}
    | {"RA blood cavity": "right atrium cavity", "RV blood cavity": "right ventricle cavity"}
    | {"ascending aorta": "ascending aorta", "pulmonary artery": "pulmonary artery"},
    "montgomery-cxr": {"tuberculosis": "tuberculosis", "left lung": "left lung"},
    "mrnet": {"abnormal": "abnormality"},
    "mrspineseg": {
        "T12": "T12 vertebra",
        "L5/S": "L5-S1 disc",
        "L4/L5": "L4-L5 disc",
        "T12/L1": "T12-L1 disc",
    },
    "msd-brain": {
        "non-enhancing tumor": "non-enhancing brain tumor",
        "enhancing tumour": "enhancing brain tumor",
    },
    "msd-colon": {"colon cancer primaries": "colon cancer"},
    "msd-prostate": {"PZ": "peripheral zone of prostate", "TZ": "transition zone of prostate"},
    "mura": {f"XR_{part}": part.lower() for part in ("ELBOW", "FINGER", "FOREARM", "HAND", "HUMERUS", "SHOULDER")}
    | {"XR_WRIST": "wrist"},
    "nct-crc-he-100k": {"ADI": "adipose tissue", "DEB": "cell debris", "LYM": "lymphocyte", "MUC": "mucus"}
    | {"MUS": "smooth muscle", "NORM": "normal colon mucosa", "STR": "cancer-associated stroma"}
    | {"TUM": "colorectal adenocarcinoma epithelium", "background": "background"},
    "nsclc-radiomics": {"GTV-1": "gross tumor volume", "Lung-Left": "left lung", "Lungs": "lung"}
    | {"Spinal-Cord": "spinal cord", "Esophagus": "esophagus", "Heart": "heart"},
    "odir-5k": {"AMD": "age-related macular degeneration", "cataract": "cataract", "glaucoma": "glaucoma"}
    | {"myopia": "pathological myopia", "other": "other abnormality"},
    "olives": {
        "Atrophy / thinning of retinal layers": "atrophy of retinal layers",
        "VMT": "vitreomacular traction",
    }
    | {"Disruption of EZ": "disruption of ellipsoid zone", "DRIL": "disorganization of retinal inner layers"}
    | {"IR hemorrhages": "retinal hemorrhage", "IR HRF": "intraretinal hyperreflective foci"}
    | {"Partially attached vitreous face": "partially attached vitreous face", "DRT/ME": "macular edema"}
    | {"Fully attached vitreous face": "fully attached vitreous face", "Vitreous debris": "vitreous debris"}
    | {"Preretinal tissue/hemorrhage": "preretinal tissue or hemorrhage", "Fluid (IRF)": "intraretinal fluid"}
    | {"Fluid (SRF)": "subretinal fluid", "Disruption of RPE": "disruption of retinal pigment epithelium"}
    | {"PED (serous)": "pigment epithelial detachment", "SHRM": "subretinal hyperreflective material"}
    | {"DR": "diabetic retinopathy", "DME": "diabetic macular edema"},
    "panda": {
        "stroma": "stroma",
        "healthy epithelium": "healthy epithelium",
        "Gleason 3": "Gleason pattern 3",
    }
    | {"Gleason 4": "Gleason pattern 4", "Gleason 5": "Gleason pattern 5", "benign tissue": "benign tissue"}
    | {"cancerous tissue": "cancerous tissue"},
    "qin-prostate-repeatability": {"Peripheral zone of the prostate": "peripheral zone of prostate"},
    "refuge": {"optic cup": "optic cup", "optic disc": "optic disc"},
    "retouch": {
        "IRF": "intraretinal fluid",
        "SRF": "subretinal fluid",
        "PED": "pigment epithelial detachment",
    },
    "rsna-intracranial-hemorrhage": {"epidural": "epidural hemorrhage", "subdural": "subdural hemorrhage"}
    | {"intraparenchymal": "intraparenchymal hemorrhage", "intraventricular": "intraventricular hemorrhage"}
    | {"subarachnoid": "subarachnoid hemorrhage"},
    "rsna-pneumonia": {"No Lung Opacity / Not Normal": "no lung opacity, not normal"},
    "structseg2019": {"brainstem": "brainstem", "left_eye": "left eye", "right_lens": "right lens"}
    | {
        "left_optical_nerve": "left optic nerve",
        "optic_chiasm": "optic chiasm",
        "pituitary": "pituitary gland",
    }
    | {"left_temporal_lobes": "left temporal lobe", "right_parotid_gland": "right parotid gland"}
    | {
        "left_inner_ear": "left inner ear",
        "right_middle_ear": "right middle ear",
        "GTV": "gross tumor volume",
    }
    | {"left_temporomandibular_joint": "left temporomandibular joint", "left_mandible": "left mandible"},
    "verse": {f"C{n}": f"C{n} vertebra" for n in range(1, 8)}
    | {f"T{n}": f"T{n} vertebra" for n in range(1, 14)}
    | {f"L{n}": f"L{n} vertebra" for n in range(1, 7)}
    | {"sacrum": "sacrum", "coccyx": "coccyx"},
}
MAPPED = {
    "acdc": ["left ventricle myocardium"],
    "bcnb": [
        *("breast tumor", "ER positive", "ER negative", "PR positive", "HER2 positive", "HER2 negative"),
        *("luminal A breast cancer", "luminal B breast cancer", "triple-negative breast cancer"),
    ],
    "busi": ["benign breast lesion", "malignant breast lesion", "breast tumor"],
    "camus": ["left ventricle myocardium"],
    "cell-tracking-challenge": ["cell", "nucleus"],
    "chestx-ray14": ["lung mass", "lung nodule", "pulmonary edema"],
    "covid-ctset": ["normal"],
    "cq500": ["skull fracture"],
    "drive": ["retinal vessel"],
    "dsb2017": ["lung cancer"],
    "echonet-dynamic": ["left ventricle cavity"],
    "fire": ["control point"],
    "gashissdb": ["abnormal gastric tissue", "normal gastric tissue"],
    "idrid": ["no diabetic retinopathy", *(f"macular edema risk grade {grade}" for grade in (0, 1, 2))],
    "isic-2016": ["skin lesion"],
    "kits19": ["kidney", "kidney tumor"],
    "kvasir-seg": ["polyp", "colon polyp"],
    "lag": ["no glaucoma"],
    "lidc-idri": ["lung nodule", "lung nodule smaller than 3 mm"],
    "lits": ["liver", "liver tumor"],
    "lung-nodule-malignancy": ["benign lung nodule", "malignant lung nodule"],
    "lung-pet-ct-dx": [
        *("lung adenocarcinoma", "small cell lung carcinoma", "large cell lung carcinoma"),
        "lung squamous cell carcinoma",
    ],
    "medmnist-v2": ["intracranial aneurysm", "brain vessel", "adrenal hyperplasia", "normal adrenal gland"],
    "mrnet": ["knee abnormality", "ACL tear", "meniscal tear"],
    "mrspineseg": ["sacrum"],
    "msd-heart": ["left atrium"],
    "msd-hepatic-vessel": ["hepatic vessel", "liver tumor"],
    "msd-hippocampus": ["anterior hippocampus", "posterior hippocampus"],
    "msd-lung": ["lung tumor", "lung cancer"],
    "msd-pancreas": ["pancreatic tumor"],
    "mura": ["musculoskeletal abnormality"],
    "nsclc-radiomics": ["lung tumor", "non-small cell lung carcinoma"],
    "odir-5k": ["hypertensive retinopathy", "diabetic retinopathy"],
    "panda": [f"ISUP grade {grade}" for grade in range(6)],
    "qin-prostate-repeatability": ["prostate lesion", "normal prostate tissue"],
    "rider-breast-mri": ["breast tumor"],
    "rite": ["retinal artery", "retinal vein", "retinal vessel crossing", "uncertain retinal vessel"],
    "snow": ["nucleus"],
    "stare": ["branch retinal vein occlusion", "nonproliferative diabetic retinopathy"],
    "vessel12": ["pulmonary vessel", "non-vessel"],
}


@pytest.mark.parametrize("slug", ALONE)
def test_source_labels_resolve(slug: str) -> None:
    for text, id_ in ALONE[slug].items():
        assert vocab.label.resolve(text) == id_, text


@pytest.mark.parametrize("slug", MAPPED)
def test_names_for_general_source_labels_exist(slug: str) -> None:
    for id_ in MAPPED[slug]:
        assert id_ in vocab.label, id_


def test_import_reads_nothing() -> None:
    code = (
        "import builtins, io, sys; real = io.open\n"
        "def watched(file, *rest, **named):\n"
        "    assert not str(file).endswith('.toml'), file\n"
        "    return real(file, *rest, **named)\n"
        "io.open = builtins.open = watched\n"
        "import medimg.vocab, medimg.licenses\n"
        "assert '_loaded' not in vars(medimg.vocab.label)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("vocabulary", ALL, ids=lambda vocabulary: vocabulary.name)
def test_a_name_means_one_term(vocabulary: Vocabulary) -> None:
    owner: dict[str, str] = {}
    for id_ in vocabulary:
        term = vocabulary[id_]
        own = [normalize(name) for name in (id_, *term.synonyms)]
        assert all(own), id_
        assert len(own) == len(set(own)), f"{id_} repeats a synonym"
        for name in own:
            assert owner.setdefault(name, id_) == id_, f"{name} names {owner[name]} and {id_}"
            assert vocabulary.resolve(name) == id_
    assert len(vocabulary) == len(vocabulary.ids) == len(set(vocabulary.ids)) > 40


@pytest.mark.parametrize("vocabulary", FILES, ids=lambda vocabulary: vocabulary.name)
def test_what_is_no_term_has_a_reason(vocabulary: Vocabulary) -> None:
    for text, reason in vocabulary.rejected.items():
        assert reason and not reason.endswith(".")
        with pytest.raises(UnknownTermError, match=re.escape(reason)):
            vocabulary.resolve(text)


@pytest.mark.parametrize("vocabulary", ALL, ids=lambda vocabulary: vocabulary.name)
def test_edges_hold(vocabulary: Vocabulary) -> None:
    space = vocabulary if vocabulary in (vocab.modality, vocab.task) else vocab.label
    for id_ in vocabulary:
        term = vocabulary[id_]
        assert all(target in space for target in (*term.is_a, *term.part_of)), id_
        assert not set(term.is_a) & set(term.part_of), id_
        for target in vocabulary.ancestors(id_):
            assert id_ in space.descendants(target)
            assert id_ not in space.ancestors(target), f"cycle through {id_} and {target}"


def test_label_is_the_union() -> None:
    assert set(vocab.label) == set(vocab.organ) | set(vocab.structure) | set(vocab.finding)
    assert len(vocab.label) == len(vocab.organ) + len(vocab.structure) + len(vocab.finding)
    assert vocab.structure.ancestors("left kidney") == vocab.label.ancestors("left kidney")


@pytest.mark.parametrize(
    ("id_", "is_a", "part_of"),
    [
        ("left kidney", {"kidney"}, {"abdomen"}),
        ("liver tumor", {"tumor", "lesion"}, {"liver"}),
        ("hepatocellular carcinoma", {"liver tumor", "cancer"}, {"liver"}),
        ("optic cup", set(), {"optic disc", "retina", "eye"}),
        ("C3 vertebra", {"vertebra", "bone"}, {"spine"}),
        ("anterior hippocampus", set(), {"hippocampus", "brain"}),
        ("enhancing brain tumor", set(), {"brain tumor core", "whole brain tumor", "brain"}),
        ("lung nodule", {"nodule"}, {"lung"}),
        ("lymphocyte", {"white blood cell", "cell"}, {"blood"}),
    ],
)
def test_known_edges(id_: str, is_a: set[str], part_of: set[str]) -> None:
    assert is_a <= vocab.label.ancestors(id_, relations=("is_a",))
    assert is_a | part_of <= vocab.label.ancestors(id_)


@pytest.mark.parametrize("id_", ["pleural effusion", "pneumothorax", "pleural thickening"])
def test_findings_of_the_pleura_are_not_inside_the_lung(id_: str) -> None:
    assert "lung" not in vocab.label.ancestors(id_)


def test_codes_are_unique() -> None:
    for field in ("snomed", "radlex"):
        codes = [getattr(vocab.label[id_], field) for id_ in vocab.label if getattr(vocab.label[id_], field)]
        assert len(codes) == len(set(codes))
    assert vocab.label["liver"].snomed == "10200004"
    assert vocab.label["cardiomegaly"].snomed is None, "DICOM prints it at the code of an enlarged septal foramen"
    thickening, pneumothorax = vocab.label["pleural thickening"], vocab.label["pneumothorax"]
    assert thickening.radlex is None and pneumothorax.radlex is None


def dicom_meanings() -> dict[str, set[str]]:
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts["SCT"]
    meanings: dict[str, set[str]] = {}
    for codes in concepts.values():
        for code, (meaning, *_) in codes.items():
            stripped = re.sub(r"\s*\([^()]*\)$", "", meaning)
            stripped = re.sub(r"^(bone )?structure of | structure$", "", stripped, flags=re.IGNORECASE)
            meanings.setdefault(code, set()).add(stripped)
    return meanings


def test_snomed_codes_are_those_of_dicom() -> None:
    meanings = dicom_meanings()
    for id_ in vocab.label:
        term = vocab.label[id_]
        if term.snomed is None:
            continue
        assert term.snomed in meanings, f"{id_}: {term.snomed} is not in DICOM's dictionary and so not verified"
        names = {normalize(name) for name in (id_, *term.synonyms)}
        assert names & {normalize(meaning) for meaning in meanings[term.snomed]}, (id_, meanings[term.snomed])


def test_dicom_codes_are_modalities() -> None:
    contexts = pytest.importorskip("pydicom.sr._cid_dict").cid_concepts
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts["DCM"]
    codes = {code for cid in (29, 33) for keyword in contexts[cid]["DCM"] for code in concepts[keyword]}
    for id_ in vocab.modality:
        assert vocab.modality[id_].dicom in (None, *codes), id_
    assert all(vocab.label[id_].dicom is None for id_ in vocab.label)


@pytest.mark.parametrize(
    ("vocabulary", "text", "ids"),
    [
        (vocab.modality, "US/ CT/ MR/ PET", ["ultrasound", "CT", "MRI", "PET"]),
        (vocab.modality, "Pet_Ct", ["PET/CT"]),
        (vocab.modality, "Pet-Ct", ["PET/CT"]),
        (vocab.modality, "PET/CT", ["PET/CT"]),
        (vocab.modality, "CT, MR,", ["CT", "MRI"]),
        (vocab.modality, "CT, Histopathology (WSI), PET", ["CT", "whole-slide image", "PET"]),
        (vocab.modality, "OCTA (CT)", ["OCT angiography"]),
        (vocab.modality, "CT; ct | computed tomography", ["CT"]),
        (vocab.organ, "Lung (Thorax) | Brain (Head and Neck)", ["lung", "brain"]),
        (
            vocab.organ,
            "Bone, Abdomen, Mediastinum, Liver, Lung, Kidney...",
            ["bone", "abdomen", "mediastinum"],
        ),
        (vocab.task, "Seg/ Cls", ["segmentation", "classification"]),
        (vocab.task, "分类/分割/视频", ["classification", "segmentation", "video classification"]),
    ],
)
def test_parse(vocabulary: Vocabulary, text: str, ids: list[str]) -> None:
    assert list(vocabulary.parse(text).ids)[: len(ids)] == ids


def test_parse_tells_what_it_cannot_resolve() -> None:
    parsed = vocab.modality.parse("CT/ EEG/ hologram")
    assert parsed.ids == ("CT",) and parsed.unknown == ("hologram",)
    assert dict(parsed.rejected) == {"EEG": "a signal, not an image"}
    assert vocab.organ.parse("  ").ids == ()


@pytest.mark.parametrize(
    ("vocabulary", "text", "id_"),
    [
        (vocab.organ, "livr", "liver"),
        (vocab.label, "pleurl efusion", "pleural effusion"),
        (vocab.modality, "T2-Flare", "FLAIR"),
        (vocab.task, "segmentatoin", "segmentation"),
    ],
)
def test_suggestions(vocabulary: Vocabulary, text: str, id_: str) -> None:
    with pytest.raises(UnknownTermError) as caught:
        vocabulary.resolve(text)
    suggested = re.findall(r"'([^']+)'", str(caught.value).split("Next:")[1])
    assert len(suggested) == 3 and id_ in suggested
    with pytest.raises(UnknownTermError):
        vocabulary[text]


@given(st.sampled_from(EVERY_TERM), st.randoms())
def test_spelling_does_not_count(entry: tuple[Vocabulary, str], random: Any) -> None:
    vocabulary, id_ = entry
    name = random.choice([id_, *vocabulary[id_].synonyms])
    separated = "".join(random.choice(" _-") if letter in " _-" else letter for letter in name)
    changed = "".join(random.choice([letter.upper(), letter.lower()]) for letter in separated)
    if normalize(changed) == normalize(name):  # "ß".upper() and the like change the word itself
        assert vocabulary.resolve(f" {changed} ") == id_
    assert name.isascii() <= (normalize(changed) == normalize(name))


@given(st.sampled_from(ALL), st.text(max_size=20))
def test_free_text_resolves_or_raises(vocabulary: Vocabulary, text: str) -> None:
    try:
        assert vocabulary.resolve(text) in vocabulary
    except UnknownTermError:
        pass
    parsed = vocabulary.parse(text)
    assert all(id_ in vocabulary for id_ in parsed.ids)


def roster() -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((SHARED / "roster").glob("*.yaml"))]


@pytest.mark.skipif(not (SHARED / "roster").is_dir(), reason="the roster is not beside this checkout")
def test_every_roster_value_resolves() -> None:
    rows = roster()
    assert len(rows) >= 95
    for row in rows:
        for kind in ("modality", "organ", "task"):
            vocabulary: Vocabulary = getattr(vocab, kind)
            assert [vocabulary.resolve(text) for text in row[kind]]
        seeds = row["seed_row"] if isinstance(row["seed_row"], list) else [row["seed_row"]]
        for seed in seeds:
            for field, vocabulary in (
                ("section", vocab.modality),
                ("task", vocab.task),
                ("organ", vocab.organ),
            ):
                assert not vocabulary.parse(seed[field]).unknown, (row["slug"], field)


@pytest.mark.skipif(not (SHARED / "roster").is_dir(), reason="the roster is not beside this checkout")
def test_every_roster_row_has_names_or_none_to_give() -> None:
    siblings = "bcn20000 isic-2019 siim-isic-melanoma chase-db1 hc18 luna16 lndb tianchi-lung-nodule qin-lung-ct"
    siblings += " msd-liver msd-spleen kvasir-v1 medmnist-v1 shenzhen-cxr siim-acr-pneumothorax"
    no_names = "pathvqa pdmr-833975-119-r qin-breast tcga-lihc rsna-bone-age"
    unnamed = {*siblings.split(), *no_names.split()}
    assert {row["slug"] for row in roster()} <= unnamed | set(ALONE) | set(MAPPED)


@pytest.mark.skipif(not (SHARED / "catalogue").is_dir(), reason="the catalogue is not beside this checkout")
@pytest.mark.parametrize("file", ["imaging_x.json", "imaging_x_portal.json"])
def test_every_catalogue_cell_is_a_term_or_known_not_to_be(file: str) -> None:
    columns = {
        "modality": vocab.modality,
        "modality_secondary": vocab.modality,
        "organ": vocab.organ,
        "structure": vocab.organ,
        "task": vocab.task,
    }
    resolved = total = 0
    for row in json.loads((SHARED / "catalogue" / file).read_text(encoding="utf-8")):
        for column, vocabulary in columns.items():
            cell = row.get(column)
            for text in cell if isinstance(cell, list) else [cell]:
                if text is not None:
                    parsed = vocabulary.parse(text)
                    assert not parsed.unknown, (row["name"], column, text)
                    total += 1
                    resolved += bool(parsed.ids)
    assert resolved > 0.85 * total
