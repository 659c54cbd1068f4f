#!/usr/bin/env python3
"""Holds deploy/worker.yaml against Kubernetes' own schemas and KEDA's.

    python3 -m venv /tmp/k8s && /tmp/k8s/bin/pip install kubernetes-validate jsonschema
    go mod download github.com/kedacore/keda/v2@v2.21.0
    /tmp/k8s/bin/python deploy/check.py "$(go env GOMODCACHE)/github.com/kedacore/keda/v2@v2.21.0/config/crd/bases"
"""

import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.35"
MANIFEST = pathlib.Path(__file__).with_name("worker.yaml")


def strict(schema: dict) -> dict:
    """An object of named properties has no others: a typo is an error."""
    if "properties" in schema and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    for child in [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]:
        if isinstance(child, dict):
            strict(child)
    return schema


def main() -> None:
    crds = {}
    for file in pathlib.Path(sys.argv[1]).glob("keda.sh_*.yaml"):
        definition = yaml.safe_load(file.read_text())["spec"]
        for version in definition["versions"]:
            crds[f"keda.sh/{version['name']}", definition["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        kind = document["apiVersion"], document["kind"]
        if kind in crds:
            schema = strict(crds[kind])
            schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
            jsonschema.Draft7Validator(schema).validate(document)
        else:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        print(f"{' '.join(kind)} {document['metadata']['name']}: right")


if __name__ == "__main__":
    main()
