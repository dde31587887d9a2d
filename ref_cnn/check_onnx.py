#!/usr/bin/env python3
"""Holds zknn to the conformance cases of ONNX, those of the `onnx` package that have one node:

    pip install -r ref_cnn/requirements-onnx.txt
    python ref_cnn/check_onnx.py PATH/TO/zknn [--table]

The first input of a case is the network's, all others become tensors of the file. Each case must be imported, and give in
floating point what is stored, or be refused with a code. With `--table`, how many of each operator were.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

# As floats of 32 bits differ.
ERROR = 1e-5


def without_batch(array):
    """The shape without a batch axis of length one; a number is a tensor of one element."""
    shape = list(array.shape)
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape or [1]


def outcome(program, folder, case):
    """`passed`, or the code that it was refused with; anything else is an error."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    [inputs], [outputs] = zip(*case.data_sets)
    if not isinstance(inputs[0], np.ndarray) or not isinstance(outputs[0], np.ndarray):
        return "no tensors"
    if inputs[0].dtype.kind not in "fiu" or outputs[0].dtype.kind not in "fiu":
        return "no numbers"
    for given, array in list(zip(model.graph.input, inputs))[1:]:
        model.graph.initializer.append(numpy_helper.from_array(array, given.name))
    del model.graph.input[1:]
    del model.graph.output[1:]
    onnx.save(model, folder / "case.onnx")
    sample = inputs[0]
    content = {"v": 1, "dim": without_batch(sample), "data": sample.ravel().tolist()}
    (folder / "input.json").write_text(json.dumps(content))
    command = [program, "run", "case.onnx", "--input", "input.json", "--json", "--input-range", "-1000..1000", "--bits", "16"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode == 2:
        code = next((line for line in result.stderr.splitlines() if line.startswith("zknn::")), None)
        assert code, f"{case.name} is refused without a code\n{result.stderr}"
        return code
    assert result.returncode == 0, f"{case.name}: {result.stderr}"
    expected, got = outputs[0], json.loads(result.stdout)["outputs"][0]["float"]
    if got["dim"] != without_batch(expected):
        return f"wrong: {case.name} has shape {got['dim']}"
    reach = max(1.0, float(np.abs(expected).max()))
    error = np.abs(np.array(got["data"]) - expected.ravel()).max() / reach
    return "passed" if error <= ERROR else f"wrong: {case.name} by {error}"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    counts = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as folder:
        for case in collect_testcases(None):
            if len(case.model.graph.node) == 1 and len(case.data_sets) == 1 and case.data_sets[0][0]:
                operator = case.model.graph.node[0].op_type
                counts[operator][outcome(program, pathlib.Path(folder), case)] += 1
    total = sum(counts.values(), collections.Counter())
    if "--table" in sys.argv:
        for operator in sorted(counts):
            if counts[operator]["passed"]:
                print(f"{operator:<24}{counts[operator]['passed']:>4} passed", dict(counts[operator] - collections.Counter({"passed": 9999})))
    wrong = [outcome for outcome in total if outcome.startswith("wrong")]
    print(f"{total['passed']} cases pass, {total.total() - total['passed'] - len(wrong)} are refused, {len(wrong)} are wrong: {dict(total)}")
    assert not wrong and total["passed"] > 100


if __name__ == "__main__":
    main()
