"""What identifies a person: names under which it stands, whatever a declaration allows."""

from __future__ import annotations

import json
import re
from typing import Any

_PERSON = frozenset(
    "".join(character for character in name.casefold() if character.isalnum())
    for name in (
        "PatientName", "Patient's Name", "PatientsName", "Name of patient", "OtherPatientNames", "PatientBirthName",
        "PatientMotherBirthName", "PatientBirthDate", "Patient's Birth Date", "PatientBirthTime", "Birth date",
        "Date of birth", "DOB", "PatientAddress", "PatientTelephoneNumbers", "PatientTelecomInformation",
        "OtherPatientIDs", "OtherPatientIDsSequence", "MedicalRecordLocator", "Medical record number", "MRN", "SSN",
        "Social security number", "MilitaryRank", "PatientReligiousPreference", "ResponsiblePerson", "PersonName",
        "PersonAddress", "PersonTelephoneNumbers", "ReferringPhysicianName", "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers", "PerformingPhysicianName", "NameOfPhysiciansReadingStudy",
        "PhysiciansOfRecord", "RequestingPhysician", "ConsultingPhysicianName", "OperatorsName",
    )
)  # fmt: skip
"""What names a person, without case and punctuation: attributes of DICOM's Basic Application Level Confidentiality
Profile (PS3.15, annex E), and what tables call the same."""
_PERSON_TAGS = frozenset(
    "00100010 00101001 00101005 00101060 00100030 00100032 00101040 00102154 00102155 00101000 00101002 00101090 "
    "00101080 001021f0 00102297 0040a123 00080090 00080092 00080094 00081050 00081060 00081048 00321032 0008009c "
    "00081070".split()
)
_TAG = re.compile(r"\(?([0-9a-f]{4})[,|]? ?([0-9a-f]{4})\)?", re.IGNORECASE)
_WORTH_A_LOOK = re.compile(
    r"name|birth|dob|address|tele|otherpatient|record|physician|rank|person|relig|mrn|ssn|security"
    r'|"\(?[0-9a-f]{4}[,|]? ?[0-9a-f]{4}\)?"',
    re.IGNORECASE,
)
_NOBODY = frozenset({"", "anonymous", "anonymized", "anonymised", "anon", "none", "null", "na", "nan", "unknown"})


def identifying(text: str | None) -> set[str]:
    """Names in a JSON text under which a person's identity stands: DICOM keywords and tags, and private tags.

    Names without a value, or with one that says that it was removed, do no harm.
    """
    if not text or not _WORTH_A_LOOK.search(text):
        return set()
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if _names_a_person(name) and _says_something(inner):
                    found.add(name)
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(text))
    return found


def _names_a_person(name: str) -> bool:
    tag = _TAG.fullmatch(name.strip())
    if tag and len(name.strip()) > 8:  # with punctuation: no digest or number looks like that
        return int(tag[1], 16) % 2 == 1 or (tag[1] + tag[2]).lower() in _PERSON_TAGS
    key = "".join(character for character in name.casefold() if character.isalnum())
    return key in _PERSON or key in _PERSON_TAGS


def _says_something(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_says_something(each) for each in (value.values() if isinstance(value, dict) else value))
    text = "".join(character for character in str(value).casefold() if character.isalnum())
    return value is not None and text not in _NOBODY and bool(text.strip("x0"))
