#!/usr/bin/env python3
"""Holds zknn to the conformance cases of ONNX, those that the `onnx` package makes or carries:

    pip install -r ref_cnn/requirements-onnx.txt
    python ref_cnn/check_onnx.py PATH/TO/zknn [--write] [--prove]

One input of a case is the network's, all others become tensors of the file. Each case must be imported, and give in floating
point what is stored, or be refused with a code. The table of cases with one node, by operator, must be that of
`docs/onnx-conformance.md`; `--write` writes it. With `--prove`, one case of each operator is proved and verified too, and what is
proved is what `run` computes in integers.
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

TABLE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "onnx-conformance.md"

# The operand that is the network's input, where it is not the first.
DATA = {"Where": 1, "Compress": 0}

Case = collections.namedtuple("Case", "name model inputs outputs")


def without_batch(array):
    """The shape without a batch axis of length one; a number is a tensor of one element."""
    shape = list(array.shape)
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape or [1]


def is_read(array):
    """Whether an array is a tensor of numbers that JSON can say."""
    return isinstance(array, np.ndarray) and array.dtype.kind in "fiub"


def omitted(name, case, x):
    """What the network does last to its output, which is not computed but told."""
    [node] = [node for node in case.model.graph.node if node.op_type.lower().replace("_", "") == name.replace("_", "")]
    [version] = [opset.version for opset in case.model.opset_import if opset.domain == ""]
    axis = {attribute.name: attribute.i for attribute in node.attribute}.get("axis", 1 if version < 13 else -1)
    if name == "sigmoid":
        return 1.0 / (1.0 + np.exp(-x))
    rows = x.reshape(int(np.prod(x.shape[:axis])), -1) if version < 13 else np.moveaxis(x, axis, -1)
    exponentials = np.exp(rows - rows.max(axis=-1, keepdims=True))
    shares = exponentials / exponentials.sum(axis=-1, keepdims=True)
    shares = shares.reshape(x.shape) if version < 13 else np.moveaxis(shares, -1, axis)
    return shares if name == "softmax" else np.log(np.maximum(shares, 1e-300))


class Checker:
    """The program, a folder to work in, and what came of the cases."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)

    def zknn(self, *arguments):
        return subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True)

    def outcome(self, case):
        """`passed`, `no tensors of numbers`, the code of a refusal, or what is wrong."""
        if not all(map(is_read, [*case.inputs, case.outputs[0]])) or case.outputs[0].size == 0:
            return "no tensors of numbers"
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        operators = [node.op_type for node in model.graph.node]
        at = DATA.get(operators[0], 0)
        names = [given.name for given in model.graph.input if given.name not in {t.name for t in model.graph.initializer}]
        for name, array in zip(names, case.inputs):
            if name != names[at]:
                model.graph.initializer.append(numpy_helper.from_array(array, name))
        kept = [given for given in model.graph.input if given.name == names[at]]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        del model.graph.output[1:]
        onnx.save(model, self.folder / "case.onnx")
        sample, expected = case.inputs[at], case.outputs[0]
        content = {"v": 1, "dim": without_batch(sample), "data": sample.astype(float).ravel().tolist()}
        (self.folder / "input.json").write_text(json.dumps(content))
        result = self.zknn("run", "case.onnx", "--input", "input.json", "--json", "--input-range", "-1000..1000", "--bits", "16")
        if result.returncode == 2:
            code = next((line for line in result.stderr.splitlines() if line.startswith("zknn::")), None)
            return code or f"wrong: refused without a code: {result.stderr}"
        if result.returncode != 0:
            return f"wrong: {result.stderr}"
        told = json.loads(result.stdout)["outputs"][0]
        got = told["float"]
        if got["dim"] != without_batch(expected):
            return f"wrong: it has shape {got['dim']}"
        if "omitted" in told:
            got["data"] = omitted(told["omitted"], case, np.array(got["data"]).reshape(expected.shape)).ravel()
        expected = expected.astype(float).ravel()
        error = np.abs(np.array(got["data"]) - expected).max() / max(1.0, float(np.abs(expected).max()))
        # Some cases were written by hand, with four digits behind the point.
        digits = 5e-5 if expected.size < 10 and np.allclose(expected, expected.round(4), rtol=0, atol=1e-7) else 0.0
        return "passed" if error <= ERROR + digits else f"wrong: by {error}"

    def prove(self):
        """Proves the case that passed last; or why it is not proved."""
        arguments = ["--input-range", "-1000..1000", "--bits", "12", "--force"]
        told = self.zknn("compile", "case.onnx", *arguments)
        if told.returncode == 2:
            return next(line for line in told.stderr.splitlines() if line.startswith("zknn::"))
        assert told.returncode == 0, told.stderr
        for step in (["prove", "case.zkc", "--input", "input.json", "--disclose-input"], ["verify", "case.vk", "proof.zkp", "--json"]):
            told = self.zknn(*step)
            if told.returncode == 2:
                return next(line for line in told.stderr.splitlines() if line.startswith("zknn::"))
            assert told.returncode == 0, told.stderr
        proved = json.loads(told.stdout)["output"]["integers"]
        run = json.loads(self.zknn("run", "case.onnx", "--input", "input.json", "--json", *arguments[:4]).stdout)
        assert proved == run["outputs"][0]["integer"]["integers"], "the proof states other integers than `run`"
        return "proved"


def node_cases():
    """The cases of one node."""
    for case in collect_testcases(None):
        if len(case.model.graph.node) == 1 and len(case.data_sets) == 1 and case.data_sets[0][0]:
            yield Case(case.name, case.model, *case.data_sets[0])


def stored_cases(kind):
    """Those that the package carries in files."""
    folder = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / kind
    for case in sorted(folder.iterdir()):
        data = case / "test_data_set_0"
        if not data.is_dir():
            continue
        model = onnx.load(case / "model.onnx")
        tensors = []
        try:
            for side in ("input", "output"):
                files = sorted(data.glob(f"{side}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
                tensors.append([numpy_helper.to_array(onnx.load_tensor(str(file))) for file in files])
        except Exception:  # sequences and the like
            continue
        if tensors[0] and tensors[1]:
            yield first_sample(Case(case.name, model, *tensors))


def first_sample(case):
    """The case with the first of several samples alone, which is what a circuit is of."""
    [shape] = [given.type.tensor_type.shape for given in case.model.graph.input if given.name not in {t.name for t in case.model.graph.initializer}][:1]
    x, y = case.inputs[0], case.outputs[0]
    if len(case.inputs) > 1 or x.ndim < 3 or x.shape[0] == 1 or y.shape[:1] != x.shape[:1]:
        return case
    shape.dim[0].dim_value = 1
    return case._replace(inputs=[x[:1]], outputs=[y[:1]])


def light_cases():
    """Architectures whose weights are all alike: for the smallest of them the outputs too, for the others whether they are imported."""
    folder = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    for file in sorted(folder.glob("*.onnx")):
        model = onnx.load(file)
        [given] = [given for given in model.graph.input if given.name not in {t.name for t in model.graph.initializer}]
        shape = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
        output = numpy_helper.to_array(onnx.load_tensor(str(file.with_name(f"{file.stem}_output_0.pb"))))
        sample = (np.arange(np.prod(shape)) / np.prod(shape)).reshape(shape).astype(np.float32)
        yield Case(file.stem, model, [sample], [output])


def table_of(counts):
    """The table of outcomes, by operator, in Markdown."""
    lines = [
        "# Conformance to ONNX",
        "",
        f"The cases of one node in the `onnx` package, {onnx.__version__}, whose tensors are numbers: one operand is the network's input, all",
        "others are constants. A case passes if floating point gives what is stored; else it must be refused with a code. Of Softmax, LogSoftmax",
        "and Sigmoid, which are told and not computed, the check applies them to the output. Made by",
        "`python ref_cnn/check_onnx.py target/release/zknn --write`, and held by `.ci/run`.",
        "",
        "| operator | cases | pass | refused | wrong |",
        "|---|---|---|---|---|",
    ]
    total = collections.Counter()
    usable = {name: counter for name, counter in sorted(counts.items()) if counter["cases"]}
    for name, counter in usable.items():
        lines.append(f"| {name} | {counter['cases']} | {counter['passed']} | {counter['refused']} | {counter['wrong']} |")
        total.update(counter)
    lines.append(f"| **all {len(usable)}** | {total['cases']} | {total['passed']} | {total['refused']} | {total['wrong']} |")
    return "\n".join(lines) + "\n"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    counts, wrong, proofs = collections.defaultdict(collections.Counter), [], collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        checker = Checker(program, folder)
        proved = set()
        for case in node_cases():
            operator, outcome = case.model.graph.node[0].op_type, checker.outcome(case)
            if outcome == "no tensors of numbers":
                continue
            kind = outcome if outcome == "passed" else "wrong" if outcome.startswith("wrong") else "refused"
            counts[operator].update(["cases", kind])
            if kind == "wrong":
                wrong.append(f"{case.name}: {outcome}")
            if kind == "passed" and "--prove" in sys.argv and operator not in proved:
                proof = checker.prove()
                proofs[proof] += 1
                if proof == "proved":
                    proved.add(operator)
        for kind in ("simple", "pytorch-operator", "pytorch-converted"):
            outcomes = collections.Counter()
            for case in stored_cases(kind):
                outcome = checker.outcome(case)
                if outcome.startswith("wrong"):
                    wrong.append(f"{kind}, {case.name}: {outcome}")
                outcomes[outcome] += 1
            print(f"{kind}: {dict(outcomes)}")
        for case in light_cases():
            if case.name in ("light_shufflenet", "light_squeezenet"):
                outcome = checker.outcome(case)
            else:
                onnx.save(case.model, checker.folder / "case.onnx")
                told = checker.zknn("inspect", "case.onnx")
                outcome = next((line for line in told.stderr.splitlines() if line.startswith("zknn::")), "imported")
            if outcome.startswith("wrong"):
                wrong.append(f"{case.name}: {outcome}")
            print(f"{case.name}: {outcome}")
    table = table_of(counts)
    print(table.splitlines()[-1])
    if "--prove" in sys.argv:
        print(f"proofs: {dict(proofs)}")
    print("\n".join(wrong) or "none is wrong")
    assert not wrong
    if "--write" in sys.argv:
        TABLE.write_text(table)
    assert TABLE.read_text() == table, "the table has changed: run with --write, and see what"


if __name__ == "__main__":
    main()
