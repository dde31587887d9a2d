#!/usr/bin/env python3
"""Holds zknn to onnxruntime on random networks that were quantized before, as ONNX files and as JSON:

    pip install -r ref_cnn/requirements-onnx.txt
    python ref_cnn/check_quantized.py PATH/TO/zknn [CASES] [SEED]

Each case is a network as generate_quantized.py writes them, with scales as calibration finds them or round numbers, types with
and without a sign, and zero points. `zknn eval` must find every output equal to onnxruntime's.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import generate_quantized

SAMPLES = 24


class Case:
    """A random network: images first, then vectors, with branches on the way."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.kind = ["int8", "uint8"][self.integer(0, 1)]
        # Round numbers make halves, which the others hardly ever do.
        self.is_round = bool(self.integer(0, 1))
        self.shape = [self.integer(4, 8), self.integer(4, 8), self.integer(1, 4)]
        self.net = generate_quantized.Network("case", self.shape, seed)

    def integer(self, low, high):
        return int(self.rng.integers(low, high, endpoint=True))

    def zero_point(self):
        _, least, greatest = generate_quantized.TYPES[self.kind]
        return [least, self.integer(least, greatest), (least + greatest + 1) // 2][self.integer(0, 2)]

    def scale(self, about):
        if not self.is_round:
            return float(about * self.rng.uniform(0.7, 1.4))
        decade = 10.0 ** np.floor(np.log10(about))
        return float(f"{[1, 2, 2.5, 3, 5, 7.5][self.integer(0, 5)] * decade:g}")

    def sums(self, operation, reads, extent, number, outputs, **fields):
        """A convolution or a dense layer with a scale of weights of the case's sort."""
        weight_scale = self.scale(0.01) if self.is_round or self.kind == "uint8" else None
        size = fields.get("size")
        row = extent if size is None else size * size * extent[2] // fields.get("groups", 1)
        about = number[0] * (weight_scale or 0.0025) * 74 * 74 * row**0.5 * 2.5 / 127
        arguments = [outputs] if size is None else [outputs, size]
        rest = {name: value for name, value in fields.items() if name != "size"}
        return operation(reads, extent, number, *arguments, self.scale(about), self.zero_point(), self.kind, self.kind,
                         weight_scale=weight_scale, **rest)

    def convolution(self, x, shape, number):
        depthwise = self.integer(0, 3) == 0
        outputs = shape[2] if depthwise else self.integer(1, 6)
        size = self.integer(1, min(3, *shape[:2]))
        fields = {"pad": self.integer(0, size - 1), "stride": self.integer(1, 2), "groups": shape[2] if depthwise else 1}
        return self.sums(self.net.convolution, x, shape, number, outputs, size=size, **fields)

    def write(self, folder):
        net = self.net
        x, number = net.quantize("input", self.shape, self.scale(0.01), self.zero_point(), self.kind)
        of_input, shape = number, self.shape
        for _ in range(self.integer(1, 3)):
            y, of_shape, of_y = self.convolution(x, shape, number)
            # What floats make of halves in a sum of two tensors depends on the order in which a runtime computes.
            if of_shape == shape and not self.is_round and self.integer(0, 1):
                y, of_y = net.add([y, x], [of_y, number], shape, self.scale(of_y[0]), self.zero_point(), self.kind)
            elif of_shape[:2] == shape[:2] and self.integer(0, 1):
                y, of_shape, of_y = net.concat([x, y], [number, of_y], [shape, of_shape], self.scale(of_y[0]), self.zero_point(), self.kind)
            if min(of_shape[:2]) >= 2 and self.integer(0, 2) == 0:
                y, of_shape = net.max_pool(y, of_shape, 2)
            x, shape, number = y, of_shape, of_y
        if self.integer(0, 1):
            x, number = net.global_average_pool(x, shape, number, number[0], number[1], self.kind)
            length = shape[2]
        else:
            x, length = net.flatten(x, shape), int(np.prod(shape))
        x, number = self.sums(net.dense, x, length, number, self.integer(2, 8))
        scale, zero_point, kind = of_input
        _, least, greatest = generate_quantized.TYPES[kind]
        inputs = (self.rng.integers(least, greatest + 1, (SAMPLES, *self.shape)) - zero_point) * np.float32(scale)
        if self.integer(0, 1):
            # Where the ends of the type allow, halfway between two multiples.
            inputs = inputs * np.float32(0.5)
        net.write(folder, x, number, inputs.astype(np.float32))


def compared(program, folder, file):
    """How many outputs there are, and how many are onnxruntime's. In the runtime's own file the inputs are channels-first."""
    inputs = json.loads(pathlib.Path(folder, "case.inputs.json").read_text())
    if file == "case.onnx":
        images = np.array(inputs["data"]).reshape(inputs["dim"]).transpose(0, 3, 1, 2)
        inputs = {"v": 1, "dim": list(images.shape), "data": images.ravel().tolist()}
    pathlib.Path(folder, "inputs.json").write_text(json.dumps(inputs))
    command = [program, "eval", file, "--inputs", "inputs.json", "--targets", "case.outputs.json", "--json"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["samples"] == SAMPLES, figures
    outputs = len(json.loads(pathlib.Path(folder, "case.outputs.json").read_text())["data"])
    return outputs, round(figures["equal"] * outputs)


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 12345
    numbers, different, failed = 0, 0, []
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            Case(seed).write(folder)
            subprocess.run([program, "export", "case.json", "-o", "written.onnx"], cwd=folder, capture_output=True, check=True)
            for file in ["case.json", "case.onnx", "written.onnx"]:
                outputs, equal = compared(program, folder, file)
                numbers += outputs
                different += outputs - equal
                failed += [(seed, file)] if equal < outputs else []
    assert not failed, f"{different} of {numbers} outputs are not onnxruntime's, of networks {failed}"
    print(f"{count} networks, {numbers} outputs, all equal to onnxruntime's; seeds from {first}")


if __name__ == "__main__":
    main()
