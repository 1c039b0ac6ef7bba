"""The numbers of Captum (recorded with tools/attribution_fixtures.py), from the same weights, inputs and noise."""

import json
from pathlib import Path

import pytest
from captum_cases import calls, flat

import flambeau as torch
from flambeau import attr

RECORDED = json.loads((Path(__file__).parent.parent / "fixtures" / "attr_captum.json").read_text())


@pytest.mark.filterwarnings("ignore")
def test_every_call_gives_captums_numbers():
    seen = set()
    for model, name, call in calls(torch, attr, attr):
        shapes, numbers = RECORDED[f"{model}: {name}"]
        found_shapes, found = flat(call())
        assert found_shapes == shapes, (model, name)
        largest = max(map(abs, numbers))
        torch.testing.assert_close(
            torch.tensor(found), torch.tensor(numbers), rtol=1e-5, atol=1e-5 * max(largest, 1.0), msg=f"{model}: {name}"
        )
        seen.add(f"{model}: {name}")
    assert seen == set(RECORDED)
