#!/usr/bin/env python3
"""Writes trained networks as ONNX files, with what onnxruntime makes of them.

They are those of testdata/digits and testdata/networks, by the operators that exporters use: NAME.onnx, and NAME.outputs.json for
the images of inputs.json, which lie along a first axis, channels first and each with a batch axis.

    pip install -r ref_cnn/requirements-onnx.txt
    python ref_cnn/generate_onnx.py testdata testdata/onnx
"""

import json
import os
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from generate_quantized import tensor

SAMPLES = 32


class Graph:
    """Nodes of a network, from the layers of a JSON file."""

    def __init__(self):
        self.nodes, self.tensors, self.shapes = [], [], {}

    def node(self, operator, name, inputs, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def tensor(self, name, array, dtype=np.float32):
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype=dtype), name))
        return name

    def layer(self, layer, name, reads):
        """The nodes of a layer; an image is channels-first, and a vector in the order of channels-last until `flatten`."""
        kind, array = layer["layer_type"], lambda field: values(layer[field])
        pair = lambda field, missing: np.broadcast_to(layer.get(field, missing), 2).tolist()
        if kind == "convolution":
            kernel = self.tensor(f"{name} kernel", array("kernel").transpose(0, 3, 1, 2))
            biases = [self.tensor(f"{name} biases", array("biases"))] if "biases" in layer else []
            pads = pair("before", 0) + pair("after", 0)
            return self.node("Conv", name, [reads[0], kernel, *biases], kernel_shape=list(array("kernel").shape[1:3]), pads=pads,
                             strides=pair("stride", 1), dilations=pair("dilation", 1), group=layer.get("groups", 1))
        if kind == "fully_connected":
            weights = array("weights")
            if "flattened" in layer:
                # The columns are those of an image with its channels last.
                height, width, channels = layer["flattened"]
                weights = weights.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(len(weights), -1)
            biases = [self.tensor(f"{name} biases", array("biases"))] if "biases" in layer else []
            return self.node("Gemm", name, [reads[0], self.tensor(f"{name} weights", weights), *biases], transB=1)
        if kind == "batch_norm":
            fields = [self.tensor(f"{name} {field}", array(field)) for field in ["scale", "shift", "mean", "variance"]]
            return self.node("BatchNormalization", name, [reads[0], *fields], epsilon=layer.get("epsilon", 1e-5))
        if kind == "max_pool":
            return self.node("MaxPool", name, reads, kernel_shape=pair("window", 1), strides=pair("stride", layer["window"]))
        if kind == "global_average_pool":
            return self.node("Flatten", name, [self.node("GlobalAveragePool", f"{name} of an image", reads)], axis=1)
        if kind == "clip":
            ends = [self.tensor(f"{name} {end}", layer[end]) for end in ["least", "greatest"]]
            return self.node("Clip", name, [reads[0], *ends])
        if kind == "affine":
            scaled = self.node("Mul", f"{name} scaled", [reads[0], self.tensor(f"{name} factors", array("weights")[None])])
            return self.node("Add", name, [scaled, self.tensor(f"{name} offsets", array("biases")[None])])
        if kind == "multiply":
            # A number for each channel.
            new = self.tensor(f"{name} axes", [2, 3], np.int64)
            gate = self.node("Unsqueeze", f"{name} gate", [reads[1], new])
            return self.node("Mul", name, [reads[0], gate])
        operators = {"relu": "Relu", "flatten": "Flatten", "add": "Add"}
        return self.node(operators[kind], name, reads)


def values(tensor):
    return np.array(tensor["data"], dtype=np.float64).reshape(tensor["dim"])


def convert(path):
    """The network of a JSON file, whose input is an image."""
    model = json.loads(path.read_text())
    graph, previous, flattened = Graph(), "input", None
    for at, layer in enumerate(model["layers"]):
        name = layer.get("name", f"{layer['layer_type']}_{at}")
        if layer["layer_type"] == "flatten":
            flattened = layer["input_shape"]
        elif layer["layer_type"] == "fully_connected" and flattened:
            layer["flattened"], flattened = flattened, None
        previous = graph.layer(layer, name, layer.get("inputs", [previous]))
    height, width, channels = model["layers"][0]["input_shape"]
    ends = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, channels, height, width]),
            helper.make_tensor_value_info(previous, TensorProto.FLOAT, [1, 10])]
    made = helper.make_graph(graph.nodes, path.stem, ends[:1], ends[1:], graph.tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Calibration(CalibrationDataReader):
    def __init__(self, images):
        self.images = iter(images)

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {"input": image[None]}


def quantized(model, images):
    """The network with QuantizeLinear and DequantizeLinear, as onnxruntime writes it."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = os.path.join(folder, "before.onnx"), os.path.join(folder, "after.onnx")
        onnx.save(model, before)
        quantize_static(before, after, Calibration(images), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8)
        return onnx.load(after)


def write(folder, name, model, images):
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    # The operators as they stand in the file.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = np.stack([session.run(None, {"input": image[None]})[0] for image in images])
    onnx.save(model, folder / f"{name}.onnx")
    write_tensor(folder / f"{name}.outputs.json", outputs)


def write_tensor(path, array):
    path.write_text(json.dumps(tensor(array), separators=(",", ":")) + "\n")


def main():
    testdata, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(exist_ok=True)
    read = lambda name: values(json.loads((testdata / "digits" / f"{name}.json").read_text())).transpose(0, 3, 1, 2).astype(np.float32)
    calibration, images = read("calibration"), read("test_inputs")[:SAMPLES]
    write_tensor(folder / "inputs.json", images[:, None])
    cnn = convert(testdata / "digits" / "cnn.json")
    write(folder, "cnn", cnn, images)
    write(folder, "cnn_quantized", quantized(cnn, calibration), images)
    for name in ["residual", "mobile"]:
        write(folder, name, convert(testdata / "networks" / f"{name}.json"), images)


if __name__ == "__main__":
    main()
