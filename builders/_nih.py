"""Files and findings of ChestX-ray14, the chest radiographs of the NIH Clinical Center."""

from medimg.declaration import Source

FINDINGS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Infiltration": "pulmonary infiltrate",
    "Mass": "lung mass",
    "Nodule": "lung nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "pulmonary edema",
    "Emphysema": "emphysema",
    "Fibrosis": "pulmonary fibrosis",
    "Pleural_Thickening": "pleural thickening",
    "Hernia": "hernia",
}
"""In the order of the publication, which is also that of ChestMNIST."""

ARCHIVES = {
    "vfk49d74nhbxq3nqjg0900w5nvkorp5c": "fe8ed0a6961412fddcbb3603c11b3698",
    "i28rlmbvmfjbl8p2n3ril0pptcmcu9d1": "ab07a2d7cbe6f65ddd97b4ed7bde10bf",
    "f1t00wrtdk94satdfb9olcolqx20z2jp": "2301d03bde4c246388bad3876965d574",
    "0aowwzs5lhjrceb3qp67ahp0rd1l1etg": "9f1b7f5aae01b13f4bc8e2c44a4b8ef6",
    "v5e3goj22zr6h8tzualxfsqlqaygfbsn": "1861f3cd0ef7734df8104f2b0309023b",
    "asi7ikud9jwnkrnkj99jnpfkjdes7l6l": "456b53a8b351afd92a35bc41444c58c8",
    "jn1b4mw4n6lnh74ovmcjb8y48h8xj07n": "1075121ea20a137b87f290d6a4a5965e",
    "tvpxmn7qyrgl0w8wfh9kqfjskv6nmm1j": "b61f34cec3aa69f295fbb593cbd9d443",
    "upyy3ml7qdumlgk2rfcvlb9k6gvqq2pj": "442a3caa61ae9b64e61c561294d1e183",
    "l6nilvfa9cg3s28tqv1qc1olm3gnz54p": "09ec81c4c31e32858ad8cf965c494b74",
    "hhq8fkdgvcari67vfhs7ppg2w6ni4jze": "499aefc67207a5a97692424cf5dbeed5",
    "ioqwiy20ihqwyr8pf4c24eazhh281pbu": "dc9fda1757c2de0032b63347a7d2895c",
}
"""Address and MD5 of the twelve archives, in order."""

SOURCES = tuple(
    Source(url=f"https://nihcc.box.com/shared/static/{key}.gz", path=f"images_{n:03d}.tar.gz", md5=md5)
    for n, (key, md5) in enumerate(ARCHIVES.items(), 1)
)
