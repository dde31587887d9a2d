"""Every layer type of the JSON format, in numpy, by its definition: what zknn's floating point is held to.

A layer is the dictionary that stands in the file; tensors are arrays. Images have their channels last, and there is no
batch axis. `evaluate` runs a whole model.
"""

import itertools

import numpy as np


def evaluate(model, *tensors):
    """The output of each layer of a model, by name where it has one and by place."""
    outputs = dict(zip(input_names(model), tensors, strict=True))
    layers = list(enumerate(model["layers"]))
    while layers:
        ready = [at for at, layer in layers if all(source in outputs for source in sources(model, at))]
        assert ready, "layers wait for one another"
        for at in ready:
            layer = model["layers"][at]
            operands = [outputs[source] for source in sources(model, at)]
            assert list(operands[0].shape) == list(layer["input_shape"]), layer
            outputs[at] = run(layer, operands)
            if "name" in layer:
                outputs[layer["name"]] = outputs[at]
        layers = [(at, layer) for at, layer in layers if at not in ready]
    return outputs


def input_names(model):
    return [declared["name"] for declared in model.get("inputs", [{"name": "input"}])]


def sources(model, at):
    return model["layers"][at].get("inputs", [at - 1 if at else input_names(model)[0]])


def run(layer, operands):
    """The output of one layer."""
    fields = {name: value for name, value in layer.items() if name not in NOT_FIELDS}
    return np.asarray(LAYERS[layer["layer_type"]](*operands, **fields), dtype=float)


NOT_FIELDS = {"layer_type", "input_shape", "name", "inputs"}


def pair(value):
    return (value, value) if np.isscalar(value) else tuple(value)


def bordered(image, before, after, value):
    (top, left), (bottom, right) = pair(before), pair(after)
    return np.pad(image, [(top, bottom), (left, right), (0, 0)], constant_values=value)


def windows(image, size, stride, dilation=1):
    """The places and contents of all windows; a content is (height, width, channels)."""
    (h, w), (sy, sx), (dy, dx) = pair(size), pair(stride), pair(dilation)
    down = range(0, image.shape[0] - (h - 1) * dy, sy)
    right = range(0, image.shape[1] - (w - 1) * dx, sx)
    for (i, y), (j, x) in itertools.product(enumerate(down), enumerate(right)):
        yield (i, j), image[y : y + (h - 1) * dy + 1 : dy, x : x + (w - 1) * dx + 1 : dx]


def of_windows(image, function, size, stride, dilation=1):
    results = {place: function(window) for place, window in windows(image, size, stride, dilation)}
    height, width = (1 + max(axis) for axis in zip(*results))
    return np.array([[results[i, j] for j in range(width)] for i in range(height)])


def convolution(x, kernel, biases=None, stride=1, dilation=1, groups=1, before=0, after=0):
    c_out, h, w, c_in = kernel.shape
    of_groups = kernel.reshape(groups, c_out // groups, h, w, c_in)

    def at(window):
        sums = np.einsum("gohwc,hwgc->go", of_groups, window.reshape(h, w, groups, c_in)).ravel()
        return sums + (0 if biases is None else biases)

    return of_windows(bordered(x, before, after, 0), at, (h, w), stride, dilation)


def convolution_1d(x, kernel, before=0, after=0, stride=1, dilation=1, **rest):
    row = {"stride": (1, stride), "dilation": (1, dilation), "before": (0, before), "after": (0, after)}
    return convolution(x[None], kernel[:, None], **row, **rest)[0]


def transposed_convolution(x, kernel, biases=None, stride=1, before=0, after=0):
    (height, width, _), (c_out, h, w, _) = x.shape, kernel.shape
    (sy, sx), (top, left), (bottom, right) = pair(stride), pair(before), pair(after)
    full = np.zeros(((height - 1) * sy + h, (width - 1) * sx + w, c_out))
    for i, j in np.ndindex(height, width):
        full[i * sy : i * sy + h, j * sx : j * sx + w] += np.moveaxis(kernel @ x[i, j], 0, -1)
    full += 0 if biases is None else biases
    return full[top : full.shape[0] - bottom, left : full.shape[1] - right]


def fully_connected(x, weights, biases=None):
    return weights @ x + (0 if biases is None else biases)


def quantized(layer, name):
    """A layer whose weights are integers with scales, and maybe its biases."""

    def of_channels(values, shape):
        return np.broadcast_to(values, shape[0]).reshape([-1] + [1] * (len(shape) - 1))

    def function(x, weight_scale, weight_zero_point=0, biases=None, bias_scale=1, **fields):
        weights = fields.pop(name)
        weight_scale, bias_scale = narrowed(weight_scale), narrowed(bias_scale)
        real = of_channels(weight_scale, weights.shape) * (weights - of_channels(weight_zero_point, weights.shape))
        return layer(x, real, biases=None if biases is None else biases * bias_scale, **fields)

    return function


def narrowed(scale):
    """A float of 32 bits, as scales are in other tools."""
    return np.float32(scale).astype(float)


def quantize(x, scale, zero_point=0, least=-128, greatest=127):
    scale = narrowed(scale)
    levels = np.clip(np.rint((x / scale).astype(np.float32)) + zero_point, least, greatest)
    return scale * (levels.astype(float) - zero_point)


def batch_norm(x, scale, shift, mean, variance, epsilon=1e-5):
    return scale * (x - mean) / np.sqrt(variance + epsilon) + shift


def affine(x, weights=None, biases=None):
    return x * (1 if weights is None else weights) + (0 if biases is None else biases)


def average_pool(x, window, stride=None, before=0, after=0, count_padding=False):
    cells = bordered(np.ones_like(x), before, after, 1 if count_padding else 0)
    stride = window if stride is None else stride
    sums = of_windows(bordered(x, before, after, 0), lambda w: w.sum(axis=(0, 1)), window, stride)
    return sums / of_windows(cells, lambda w: w.sum(axis=(0, 1)), window, stride)


def max_pool(x, window, stride=None, before=0, after=0):
    stride = window if stride is None else stride
    return of_windows(bordered(x, before, after, -np.inf), lambda w: w.max(axis=(0, 1)), window, stride)


def reduced(function):
    return lambda x, axes: np.atleast_1d(function(x, axis=tuple(axes)))


def folded(function):
    def layer(first, *others):
        for other in others:
            first = function(first, other)
        return first

    return layer


def take_slice(x, axis, start, end, step=1):
    return np.take(x, range(start, end, step), axis=axis)


def upsample(x, factor):
    down, right = pair(factor)
    return x.repeat(down, axis=0).repeat(right, axis=1)


def greatest(x, axis=0):
    return np.expand_dims(x.argmax(axis=axis), axis)


def top_k(x, k, axis=0):
    return np.take(np.argsort(-x, axis=axis, kind="stable"), range(k), axis=axis)


def padding(x, before, after, value=0):
    return np.pad(x, list(zip(before, after)), constant_values=value)


LAYERS = {
    "convolution": convolution,
    "convolution_1d": convolution_1d,
    "transposed_convolution": transposed_convolution,
    "fully_connected": fully_connected,
    "quantized_convolution": quantized(convolution, "kernel"),
    "quantized_fully_connected": quantized(fully_connected, "weights"),
    "quantize": quantize,
    "batch_norm": batch_norm,
    "affine": affine,
    "average_pool": average_pool,
    "max_pool": max_pool,
    "global_average_pool": lambda x: x.mean(axis=(0, 1)),
    "global_max_pool": lambda x: x.max(axis=(0, 1)),
    "reduce_sum": reduced(np.sum),
    "reduce_mean": reduced(np.mean),
    "reduce_max": reduced(np.max),
    "reduce_min": reduced(np.min),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x > 0, x, slope * x),
    "clip": lambda x, least=-np.inf, greatest=np.inf: np.clip(x, least, greatest),
    "add": folded(np.add),
    "subtract": np.subtract,
    "multiply": folded(np.multiply),
    "maximum": folded(np.maximum),
    "minimum": folded(np.minimum),
    "negate": np.negative,
    "absolute": np.abs,
    "square": np.square,
    "padding": padding,
    "flatten": np.ravel,
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes: x.transpose(axes),
    "slice": take_slice,
    "gather": lambda x, axis, indices: np.take(x, indices, axis=axis),
    "upsample": upsample,
    "tile": lambda x, repeats: np.tile(x, repeats),
    "expand": lambda x, shape: np.broadcast_to(x, shape),
    "concat": lambda *parts, axis: np.concatenate(parts, axis=axis),
    "argmax": greatest,
    "argmin": lambda x, axis=0: greatest(-x, axis),
    "top_k": top_k,
    "normalize": lambda x: x / np.linalg.norm(x),
}
