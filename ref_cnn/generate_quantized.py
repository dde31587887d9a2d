#!/usr/bin/env python3
"""Writes networks that were quantized before, with what onnxruntime makes of them.

Each becomes four files in a folder: NAME.onnx; NAME.json, the same with the integers, scales and zero points of its operators;
NAME.inputs.json, inputs along a first axis; and NAME.outputs.json, the outputs of onnxruntime for these. Images are
channels-last there, and channels-first in ONNX.

    pip install -r ref_cnn/requirements-onnx.txt
    python ref_cnn/generate_quantized.py testdata/quantized
"""

import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
TYPES = {"int8": (np.int8, -128, 127), "uint8": (np.uint8, 0, 255)}


class Network:
    """A network in both forms. Tensors are named by a number; `shape` has channels last."""

    def __init__(self, name, shape, seed):
        self.rng = np.random.default_rng(seed)
        self.name, self.input_shape = name, shape
        self.nodes, self.constants, self.layers, self.count = [], [], [], 0

    # Both forms

    def quantize(self, reads, shape, scale, zero_point, kind):
        """From real numbers, which only the input has."""
        output = self.node("QuantizeLinear", [reads, self.constant(np.float32(scale)), self.zero(zero_point, kind)])
        return self.layer(output, [reads], shape, self.levels(scale, zero_point, kind)), (scale, zero_point, kind)

    def convolution(self, reads, shape, number, channels, size, scale, zero_point, kind, weight_kind="int8", weight_scale=None,
                    pad=0, stride=1, groups=1):
        """Without a scale of weights, each channel has its own; without one of the results, they fit about their type."""
        kernel, weight_scale, weight_zero, bias = self.weights((channels, size, size, shape[2] // groups), weight_kind, weight_scale)
        scale = scale or self.fitting(number, weight_scale, kernel)
        product = np.float32(number[0]) * np.asarray(weight_scale, np.float32)
        inputs = [reads, *self.number(number), self.constant(kernel.transpose(0, 3, 1, 2)), self.of_channels(weight_scale),
                  self.of_channels(weight_zero), self.constant(np.float32(scale)), self.zero(zero_point, kind), self.constant(bias)]
        output = self.node("QLinearConv", inputs, kernel_shape=[size, size], pads=[pad] * 4, strides=[stride] * 2, group=groups)
        layer = {"layer_type": "quantized_convolution", "kernel": tensor(kernel), "weight_scale": tensor(weight_scale),
                 "weight_zero_point": tensor(weight_zero), "biases": tensor(bias), "bias_scale": tensor(product),
                 "before": pad, "after": pad, "stride": stride, "groups": groups}
        sums = f"sums of {output}"
        self.layer(sums, [reads], shape, layer)
        height, width = ((side + 2 * pad - size) // stride + 1 for side in shape[:2])
        shape = [height, width, channels]
        self.layer(output, [sums], shape, self.levels(scale, zero_point, kind))
        return output, shape, (scale, zero_point, kind)

    def dense(self, reads, length, number, outputs, scale, zero_point, kind, weight_kind="int8", weight_scale=None):
        """Gemm with all of its parts quantized, an operator of onnxruntime."""
        weights, weight_scale, weight_zero, bias = self.weights((outputs, length), weight_kind, weight_scale)
        scale = scale or self.fitting(number, weight_scale, weights)
        product = np.float32(number[0]) * np.asarray(weight_scale, np.float32)
        inputs = [reads, *self.number(number), self.constant(weights), self.of_channels(weight_scale), self.of_channels(weight_zero),
                  self.constant(bias), self.constant(np.float32(scale)), self.zero(zero_point, kind)]
        output = self.node("QGemm", inputs, domain="com.microsoft", transB=1)
        layer = {"layer_type": "quantized_fully_connected", "weights": tensor(weights), "weight_scale": tensor(weight_scale),
                 "weight_zero_point": tensor(weight_zero), "biases": tensor(bias), "bias_scale": tensor(product)}
        sums = f"sums of {output}"
        self.layer(sums, [reads], [length], layer)
        self.layer(output, [sums], [outputs], self.levels(scale, zero_point, kind))
        return output, (scale, zero_point, kind)

    def max_pool(self, reads, shape, size):
        output = self.node("MaxPool", [reads], kernel_shape=[size, size], strides=[size, size])
        self.layer(output, [reads], shape, {"layer_type": "max_pool", "window": size, "stride": size})
        return output, [shape[0] // size, shape[1] // size, shape[2]]

    def add(self, reads, numbers, shape, scale, zero_point, kind):
        inputs = [name for read, number in zip(reads, numbers) for name in [read, *self.number(number)]]
        inputs += [self.constant(np.float32(scale)), self.zero(zero_point, kind)]
        output = self.node("QLinearAdd", inputs, domain="com.microsoft")
        self.layer(f"sums of {output}", reads, shape, {"layer_type": "add"})
        self.layer(output, [f"sums of {output}"], shape, self.levels(scale, zero_point, kind))
        return output, (scale, zero_point, kind)

    def concat(self, reads, numbers, shapes, scale, zero_point, kind):
        inputs = [self.constant(np.float32(scale)), self.zero(zero_point, kind)]
        inputs += [name for read, number in zip(reads, numbers) for name in [read, *self.number(number)]]
        output = self.node("QLinearConcat", inputs, domain="com.microsoft", axis=1)
        self.layer(f"parts of {output}", reads, shapes[0], {"layer_type": "concat", "axis": 2})
        shape = shapes[0][:2] + [sum(shape[2] for shape in shapes)]
        self.layer(output, [f"parts of {output}"], shape, self.levels(scale, zero_point, kind))
        return output, shape, (scale, zero_point, kind)

    def global_average_pool(self, reads, shape, number, scale, zero_point, kind):
        inputs = [reads, *self.number(number), self.constant(np.float32(scale)), self.zero(zero_point, kind)]
        output = self.node("QLinearGlobalAveragePool", inputs, domain="com.microsoft", channels_last=0)
        self.layer(f"means of {output}", [reads], shape, {"layer_type": "global_average_pool"})
        self.layer(output, [f"means of {output}"], [shape[2]], self.levels(scale, zero_point, kind))
        flat = self.node("Flatten", [output], axis=1)
        self.layer(flat, [output], [shape[2]], {"layer_type": "flatten"})
        return flat, (scale, zero_point, kind)

    def flatten(self, reads, shape):
        """In the order of channels-last, by a transposition in ONNX."""
        output = self.node("Flatten", [self.node("Transpose", [reads], perm=[0, 2, 3, 1])], axis=1)
        self.layer(output, [reads], shape, {"layer_type": "flatten"})
        return output

    # Parts

    def weights(self, shape, kind, scale):
        """Random integers; with one scale, or one for each channel."""
        dtype, least, greatest = TYPES[kind]
        integers = self.rng.integers(least + 1, greatest + 1, shape).astype(dtype)
        scales = np.float32([scale] if scale else self.rng.uniform(0.001, 0.004, shape[0]))
        zeros = np.full(len(scales), 0 if kind == "int8" else 119, dtype)
        bias = self.rng.integers(-2000, 2000, shape[0]).astype(np.int32)
        return integers, scales, zeros, bias

    @staticmethod
    def fitting(number, weight_scale, weights):
        """A scale at which most sums fit a byte: two and a half times their deviation, if both factors are any integers."""
        row = weights.size // weights.shape[0]
        return float(number[0] * np.mean(weight_scale) * 74 * 74 * row**0.5 * 2.5 / 127)

    def node(self, operator, inputs, domain="", **attributes):
        self.count += 1
        output = f"{self.count} {operator}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def constant(self, value):
        self.count += 1
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"constant {self.count}"))
        return f"constant {self.count}"

    def of_channels(self, values):
        """One number for all has no axes."""
        return self.constant(values.reshape(()) if values.shape == (1,) else values)

    def number(self, number):
        scale, zero_point, kind = number
        return [self.constant(np.float32(scale)), self.zero(zero_point, kind)]

    def zero(self, zero_point, kind):
        return self.constant(TYPES[kind][0](zero_point))

    def levels(self, scale, zero_point, kind):
        _, least, greatest = TYPES[kind]
        return {"layer_type": "quantize", "scale": float(np.float32(scale)), "zero_point": zero_point, "least": least, "greatest": greatest}

    def layer(self, name, reads, shape, fields):
        kind = fields.pop("layer_type")
        self.layers.append({"layer_type": kind, "name": name, "inputs": reads, "input_shape": list(shape), **fields})
        return name

    def write(self, folder, output, number, inputs):
        last = self.node("DequantizeLinear", [output, *self.number(number)])
        chw = [self.input_shape[2], *self.input_shape[:2]] if len(self.input_shape) == 3 else self.input_shape
        graph = helper.make_graph(self.nodes, self.name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, *chw])],
                                  [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)], self.constants)
        model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8)
        onnx.save(model, os.path.join(folder, f"{self.name}.onnx"))
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        first = inputs.transpose(0, 3, 1, 2) if inputs.ndim == 4 else inputs
        outputs = np.concatenate([session.run(None, {"input": sample[None]})[0] for sample in first])
        for suffix, content in [("", {"layers": self.layers}), (".inputs", tensor(inputs)), (".outputs", tensor(outputs))]:
            with open(os.path.join(folder, f"{self.name}{suffix}.json"), "w") as file:
                json.dump(content, file, separators=(",", ":"))
                file.write("\n")


def tensor(array):
    array = np.asarray(array)
    array = array.reshape(1) if array.ndim == 0 else array
    numbers = [int(number) if float(number).is_integer() else float(number) for number in array.ravel().tolist()]
    return {"v": 1, "dim": list(array.shape), "data": numbers}


def images(folder):
    """Convolutions of each kind with scales as calibration finds them, channel by channel."""
    net = Network("images", [8, 8, 3], 1)
    x, number = net.quantize("input", [8, 8, 3], 2 / 255, -1, "int8")
    x, shape, number = net.convolution(x, [8, 8, 3], number, 8, 3, None, -128, "int8", pad=1)
    x, shape = net.max_pool(x, shape, 2)
    x, shape, number = net.convolution(x, shape, number, 8, 3, None, -128, "int8", pad=1, groups=8)
    x, shape, number = net.convolution(x, shape, number, 12, 3, None, 3, "int8", pad=1, stride=2)
    x = net.flatten(x, shape)
    x, number = net.dense(x, 48, number, 10, None, -7, "int8")
    net.write(folder, x, number, net.rng.uniform(-1, 1, (32, 8, 8, 3)).astype(np.float32))


def round_scales(folder):
    """Scales that are round numbers, of which many products are halves; bytes without a sign, and weights with a zero point."""
    net = Network("round_scales", [6, 6, 2], 2)
    x, number = net.quantize("input", [6, 6, 2], 0.05, 128, "uint8")
    x, shape, number = net.convolution(x, [6, 6, 2], number, 4, 3, 0.3, 0, "uint8", "uint8", weight_scale=0.01)
    x, shape, number = net.convolution(x, shape, number, 4, 2, 1.0, 100, "uint8", "uint8", weight_scale=0.01)
    x = net.flatten(x, shape)
    x, number = net.dense(x, 36, number, 8, 8.0, 128, "uint8", "uint8", weight_scale=0.0125)
    x, number = net.dense(x, 8, number, 6, 20.0, 128, "uint8", "uint8", weight_scale=0.02)
    inputs = net.rng.integers(-128, 128, (32, 6, 6, 2)) * np.float32(0.05)
    # Half of the samples lie halfway between two multiples.
    inputs[:16] += np.float32(0.025)
    net.write(folder, x, number, np.clip(inputs, -6.4, 6.35).astype(np.float32))


def branches(folder):
    """Sums of branches at unlike scales, a concat, and the mean of an image."""
    net = Network("branches", [6, 6, 4], 3)
    x, number = net.quantize("input", [6, 6, 4], 1 / 127, 0, "int8")
    a, shape, of_a = net.convolution(x, [6, 6, 4], number, 4, 3, None, -20, "int8", pad=1)
    total, of_total = net.add([a, x], [of_a, number], shape, 1.1 * of_a[0], -128, "int8")
    b, shape, of_b = net.convolution(total, shape, of_total, 4, 1, None, 5, "int8")
    both, of_both = net.add([total, b], [of_total, of_b], shape, 1.3 * of_b[0], -30, "int8")
    joined, shape, number = net.concat([both, a], [of_both, of_a], [shape, shape], 0.9 * of_both[0], -9, "int8")
    mean, number = net.global_average_pool(joined, shape, number, number[0], -9, "int8")
    x, number = net.dense(mean, 8, number, 5, None, 0, "int8")
    net.write(folder, x, number, net.rng.uniform(-1, 1, (32, 6, 6, 4)).astype(np.float32))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for network in [images, round_scales, branches]:
        network(folder)


if __name__ == "__main__":
    main()
