"""The published JSON Schema is the one that the records give."""

import json
from dataclasses import fields
from pathlib import Path

from t2i.runtime import bundle, schema
from t2i.runtime.records import encode

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "bundle.schema.json"


def test_the_published_schema_is_up_to_date() -> None:
    """Else: python -m t2i.runtime.schema docs/bundle.schema.json"""
    assert PUBLISHED.read_text(encoding="utf-8") == schema.text()


def test_the_schema_tells_names_types_and_meanings() -> None:
    records = schema.json_schema(bundle.Manifest)["$defs"]
    noise = records["Noise"]
    assert noise["properties"]["shape"] == {
        "type": "array",
        "items": {"type": "integer"},
        "description": "Of one picture's draw, without B.",
    }
    assert noise["properties"]["distribution"]["enum"] == ["normal", "uniform"]
    assert noise["required"] == ["name", "shape"]
    assert noise["additionalProperties"] is False
    assert records["Manifest"]["properties"]["preview"]["anyOf"][1] == {"type": "null"}


def test_a_real_manifest_has_the_keys_of_the_schema(tiny_bundle: Path) -> None:
    records = schema.json_schema(bundle.Manifest)["$defs"]
    written = json.loads((tiny_bundle / "manifest.json").read_bytes())
    assert list(records["Manifest"]["properties"]) == list(written)
    assert list(records["Graph"]["properties"]) == list(written["graphs"][0])
    assert {field.name for field in fields(bundle.Manifest)} == set(written)
    assert encode(bundle.Bundle.load(tiny_bundle).manifest) == written
