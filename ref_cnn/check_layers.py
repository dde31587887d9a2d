#!/usr/bin/env python3
"""Holds every layer type of zknn to its definition in numpy (layers.py), on random shapes and fields:

    python3 check_layers.py PATH/TO/zknn [CASES] [SEED]

Each case is a file for `zknn run --json`, whose output in floating point must be numpy's, and whose integers must be near it. What
`zknn export` writes of it as ONNX must give the same, read again and, where that is installed, in onnxruntime.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import layers

try:
    import onnxruntime
except ImportError:  # the files that are written are then read by zknn alone
    onnxruntime = None

INPUT_RANGE = (-8, 8)
# Between two programs that sum doubles in different orders.
FLOAT_ERROR = 1e-9
# Of 16 bits, through two layers.
INTEGER_ERROR = 0.02
# Of floats of 32 bits.
NARROW_ERROR = 1e-5


def tensor_json(array):
    return {"v": 1, "dim": list(array.shape), "data": array.ravel().tolist()}


class Cases:
    """Random layers. Each method is a layer type, and gives the shape of what it reads and its fields."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.rng.integers(low, high, endpoint=True))

    def integers(self, low, high, count=2):
        return [self.integer(low, high) for _ in range(count)]

    def weights(self, *shape):
        return self.rng.integers(-64, 64, shape) / 16

    def image(self):
        return self.integers(3, 7) + [self.integer(1, 4)]

    def any_shape(self):
        return self.integers(1, 5, self.integer(1, 4))

    def axis(self, shape):
        return self.integer(0, len(shape) - 1)

    def with_biases(self, **fields):
        weights = next(iter(fields.values()))
        return {**fields, "biases": self.weights(len(weights))} if self.integer(0, 2) else fields

    def convolution(self):
        groups, inputs, outputs = self.integers(1, 3, 3)
        kernel = self.weights(groups * outputs, *self.integers(1, 3), inputs)
        places = {"stride": self.integers(1, 3), "before": self.integers(0, 3), "after": self.integers(0, 3)}
        dilation = self.integers(1, 2)
        shape = [(size - 1) * d + 1 + self.integer(0, 4) for size, d in zip(kernel.shape[1:3], dilation)]
        fields = self.with_biases(kernel=kernel, groups=groups, dilation=dilation, **places)
        return shape + [groups * inputs], fields

    def convolution_1d(self):
        (_, length, channels), fields = self.convolution()
        fields["kernel"] = fields["kernel"][:, 0]
        return [length, channels], {k: v[1] if isinstance(v, list) else v for k, v in fields.items()}

    def transposed_convolution(self):
        shape = self.image()
        kernel = self.weights(self.integer(1, 3), *self.integers(1, 3), shape[2])
        places = {"stride": self.integers(1, 3), "before": self.integers(0, 1), "after": self.integers(0, 1)}
        return shape, self.with_biases(kernel=kernel, **places)

    def fully_connected(self):
        outputs, inputs = self.integers(1, 20)
        return [inputs], self.with_biases(weights=self.weights(outputs, inputs))

    def quantized(self, shape, fields, name):
        weights = fields[name]
        channels = [weights.shape[0]] if self.integer(0, 1) else [1]
        scales = np.abs(self.weights(*channels)) / 64 + 0.01
        fields[name] = self.rng.integers(-127, 128, weights.shape).astype(float)
        fields.update(weight_scale=scales, weight_zero_point=self.rng.integers(-9, 10, channels).astype(float))
        if "biases" in fields and self.integer(0, 1):
            fields.update(biases=self.rng.integers(-500, 500, weights.shape[0]).astype(float), bias_scale=scales / 16)
        return shape, fields

    def quantized_convolution(self):
        return self.quantized(*self.convolution(), "kernel")

    def quantized_fully_connected(self):
        return self.quantized(*self.fully_connected(), "weights")

    def quantize(self):
        fields = [{}, {"zero_point": 100, "least": 0, "greatest": 255}, {"least": -8, "greatest": 7}][self.integer(0, 2)]
        return self.any_shape(), {"scale": [0.25, 0.1, 0.037][self.integer(0, 2)], **fields}

    def batch_norm(self):
        shape = self.any_shape()
        of_channels = {name: self.weights(shape[-1]) for name in ["scale", "shift", "mean"]}
        return shape, {**of_channels, "variance": np.abs(self.weights(shape[-1])) + 0.1, "epsilon": 0.001}

    def affine(self):
        shape = self.any_shape()
        which = shape if self.integer(0, 1) else shape[-1:]
        fields = {"weights": self.weights(*which), "biases": self.weights(*which)}
        fields.pop(["weights", "biases", None][self.integer(0, 2)], None)
        return shape, fields

    def max_pool(self):
        shape, window = self.image(), self.integers(1, 3)
        borders = {name: [self.integer(0, size - 1) for size in window] for name in ["before", "after"]}
        return shape, {"window": window, "stride": self.integers(1, 3), **borders}

    def average_pool(self):
        shape, fields = self.max_pool()
        return shape, {**fields, "count_padding": bool(self.integer(0, 1))}

    def global_average_pool(self):
        return self.image(), {}

    global_max_pool = global_average_pool

    def reduce_sum(self):
        shape = self.any_shape()
        axes = self.rng.permutation(len(shape))[: self.integer(1, len(shape))]
        return shape, {"axes": sorted(axes.tolist())}

    reduce_mean = reduce_max = reduce_min = reduce_sum

    def relu(self):
        return self.any_shape(), {}

    add = subtract = multiply = maximum = minimum = negate = absolute = square = flatten = relu

    def leaky_relu(self):
        return self.any_shape(), {"slope": self.integer(-8, 24) / 16}

    def clip(self):
        ends = {"least": self.integer(-9, 0), "greatest": self.integer(1, 9)}
        ends.pop(["least", "greatest", None][self.integer(0, 2)], None)
        return self.any_shape(), ends

    def padding(self):
        shape = self.any_shape()
        lengths = {name: self.integers(0, 2, len(shape)) for name in ["before", "after"]}
        return shape, {**lengths, "value": self.integer(-2, 2)}

    def reshape(self):
        shape = self.any_shape()
        factors = [factor for extent in self.rng.permutation(shape) for factor in ([2, 2] if extent == 4 else [int(extent)])]
        return shape, {"shape": factors}

    def transpose(self):
        shape = self.any_shape()
        return shape, {"axes": self.rng.permutation(len(shape)).tolist()}

    def slice(self):
        shape = self.any_shape()
        axis = self.axis(shape)
        start = self.integer(0, shape[axis] - 1)
        return shape, {"axis": axis, "start": start, "end": self.integer(start + 1, shape[axis]), "step": self.integer(1, 3)}

    def gather(self):
        shape = self.any_shape()
        axis = self.axis(shape)
        return shape, {"axis": axis, "indices": self.integers(0, shape[axis] - 1, self.integer(1, 5))}

    def upsample(self):
        return self.image(), {"factor": self.integers(1, 3)}

    def tile(self):
        shape = self.any_shape()
        return shape, {"repeats": self.integers(1, 3, len(shape))}

    def expand(self):
        wide = self.any_shape()
        shape = [1 if self.integer(0, 1) else extent for extent in wide]
        return shape[self.integer(0, len(shape) - 1) :], {"shape": wide}

    def concat(self):
        shape = self.any_shape()
        return shape, {"axis": self.axis(shape)}

    def argmax(self):
        shape = self.any_shape()
        return shape, {"axis": self.axis(shape)}

    argmin = argmax

    def top_k(self):
        shape, fields = self.argmax()
        return shape, {**fields, "k": self.integer(1, shape[fields["axis"]])}

    def normalize(self):
        return [self.integer(2, 9)], {}


TWO_TENSORS = {"add", "subtract", "multiply", "maximum", "minimum", "concat"}


def model_of(cases, layer_type):
    """A layer; of two inputs where it reads two tensors, the second behind factors and offsets."""
    shape, fields = getattr(cases, layer_type)()
    layer = {"layer_type": layer_type, "input_shape": shape, **fields}
    if layer_type not in TWO_TENSORS:
        return {"input_range": INPUT_RANGE, "layers": [layer]}, [shape]
    second = list(shape)
    if layer_type != "concat" and cases.integer(0, 1):
        # One number for all along an axis.
        second[cases.axis(shape)] = 1
    factors = {"weights": cases.weights(second[-1]), "biases": cases.weights(second[-1])}
    affine = {"layer_type": "affine", "name": "affine", "inputs": ["second"], "input_shape": second, **factors}
    inputs = [{"name": "first", "shape": shape}, {"name": "second", "shape": second, "range": INPUT_RANGE}]
    described = [affine, {**layer, "inputs": ["first", "affine"]}]
    return {"input_range": INPUT_RANGE, "inputs": inputs, "layers": described}, [shape, second]


def check(program, folder, layer_type, model, shapes):
    rng = np.random.default_rng(sum(shapes[0]))
    inputs = [rng.integers(*INPUT_RANGE, shape, endpoint=True).astype(float) for shape in shapes]
    if layer_type == "normalize":
        inputs[0][0] = 1
    described = model["layers"]
    expected = layers.evaluate(model, *inputs)[len(described) - 1]
    model_file = folder / "model.json"
    model_file.write_text(json.dumps(model, default=tensor_json))
    files = [folder / f"input-{at}.json" for at in range(len(inputs))]
    for file, x in zip(files, inputs):
        file.write_text(json.dumps(tensor_json(x)))
    fractions = any(isinstance(v, np.ndarray) and (v % 1).any() for layer in described for v in layer.values())
    bits = ["--bits", "16"] if fractions else []
    given = [argument for file in files for argument in ("--input", file)]
    told = subprocess.run([program, "run", model_file, *given, "--json", *bits], capture_output=True, text=True)
    case = "\n".join(file.read_text() for file in [model_file, *files])
    assert told.returncode == 0, f"{told.stderr}\n{case}"
    [result] = json.loads(told.stdout)["outputs"]
    spread = max(1.0, np.abs(expected).max())
    for output, error in [("float", FLOAT_ERROR), ("integer", INTEGER_ERROR)]:
        assert result[output]["dim"] == list(expected.shape), (result[output]["dim"], described)
        worst = np.abs(np.array(result[output]["data"]) - expected.ravel()).max() / spread
        assert worst <= error, f"{layer_type}: {output} numbers are off by {worst}\n{case}"
    exported = folder / "model.onnx"
    told = subprocess.run([program, "export", model_file, "-o", exported], capture_output=True, text=True)
    assert told.returncode == 0, f"{told.stderr}\n{case}"
    if onnxruntime is not None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
        named = zip(session.get_inputs(), inputs)
        [got] = session.run(None, {given.name: x[None].astype(np.float32) for given, x in named})
        assert list(got.shape) == [1, *expected.shape], (got.shape, described)
        worst = np.abs(got.ravel() - expected.ravel()).max() / spread
        assert worst <= NARROW_ERROR, f"{layer_type}: onnxruntime's numbers are off by {worst}\n{case}"
    ends = ["--input-range", "{}..{}".format(*INPUT_RANGE)]
    again = subprocess.run([program, "run", exported, *given, "--json", *ends, *bits], capture_output=True, text=True)
    assert again.returncode == 0, f"{again.stderr}\n{case}"
    [read] = json.loads(again.stdout)["outputs"]
    worst = np.abs(np.array(read["float"]["data"]) - expected.ravel()).max() / spread
    assert worst <= NARROW_ERROR, f"{layer_type}: read again, numbers are off by {worst}\n{case}"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    cases = Cases(int(sys.argv[3]) if len(sys.argv) > 3 else 12345)
    with tempfile.TemporaryDirectory() as folder:
        for layer_type in layers.LAYERS:
            for _ in range(count):
                check(program, pathlib.Path(folder), layer_type, *model_of(cases, layer_type))
    print(f"{len(layers.LAYERS)} types of layers agree with numpy, in {count} cases each")


if __name__ == "__main__":
    main()
