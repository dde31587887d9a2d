"""Trains networks with branches, normalizations and windows on scikit-learn's handwritten digits, for zknn's tests:

    python3 train_networks.py ../testdata/networks

residual.json       convolutions, batch normalization, two joins, an average of the whole image
mobile.json         depthwise convolutions, clips, squeeze and excite
dilated.json        the pixels one after the other, under dilated convolutions along one axis
autoencoder.json    strided convolutions down, transposed convolutions up to the image again

The images are those of ../testdata/digits: train_digits.py splits them. A network is written as it stands in its file, and
trained from that: each layer type has here its value for a batch and its gradient. How good it became is measured with
layers.py, which knows nothing of this file.
"""

import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits

import layers as reference
import train_digits
from train_digits import BATCH, PIXEL_RANGE, SEED, initial, tensor_json, write

LEARNING_RATE = 4e-3
# What of the old mean and variance stays after a batch.
MOMENTUM = 0.9


def convolution(layer, x):
    """Offset by offset of the kernel, so that each is one product of matrices, or of numbers where there is one channel."""
    kernel, groups = layer["kernel"], layer.get("groups", 1)
    c_out, h, w, c_in = kernel.shape
    (sy, sx), (dy, dx) = (reference.pair(layer.get(name, 1)) for name in ["stride", "dilation"])
    before, after = (reference.pair(layer.get(name, 0)) for name in ["before", "after"])
    padded = np.pad(x, [(0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0)])
    height = (padded.shape[1] - (h - 1) * dy - 1) // sy + 1
    width = (padded.shape[2] - (w - 1) * dx - 1) // sx + 1
    split = (groups, c_out // groups, h, w, c_in)
    by_group = kernel.reshape(split)

    def at(array, u, v):
        place = array[:, u * dy : u * dy + (height - 1) * sy + 1 : sy, v * dx : v * dx + (width - 1) * sx + 1 : sx]
        return place.reshape(*place.shape[:3], groups, c_in)

    out = sum(np.einsum("nyxgc,goc->nyxgo", at(padded, u, v), by_group[:, :, u, v]) for u, v in np.ndindex(h, w))
    out = out.reshape(*out.shape[:3], c_out) + layer["biases"]

    def backward(gradient):
        grouped = gradient.reshape(*gradient.shape[:3], groups, -1)
        of_kernel, of_padded = np.zeros(split), np.zeros_like(padded)
        for u, v in np.ndindex(h, w):
            of_kernel[:, :, u, v] = np.einsum("nyxgo,nyxgc->goc", grouped, at(padded, u, v))
            at(of_padded, u, v)[...] += np.einsum("nyxgo,goc->nyxgc", grouped, by_group[:, :, u, v])
        inner = of_padded[:, before[0] : before[0] + x.shape[1], before[1] : before[1] + x.shape[2]]
        return [inner], {"kernel": of_kernel.reshape(kernel.shape), "biases": gradient.sum(axis=(0, 1, 2))}

    return out, backward


def convolution_1d(layer, x):
    row = {name: (1, layer[name]) for name in ["stride", "dilation"] if name in layer}
    row |= {name: (0, layer[name]) for name in ["before", "after"] if name in layer}
    out, backward = convolution({**layer, **row, "kernel": layer["kernel"][:, None]}, x[:, None])

    def of_row(gradient):
        [of_x], of_fields = backward(gradient[:, None])
        return [of_x[:, 0]], {**of_fields, "kernel": of_fields["kernel"][:, 0]}

    return out[:, 0], of_row


def transposed_convolution(layer, x):
    kernel, (sy, sx) = layer["kernel"], reference.pair(layer["stride"])
    c_out, h, w, _ = kernel.shape
    n, height, width, _ = x.shape
    out = np.zeros((n, (height - 1) * sy + h, (width - 1) * sx + w, c_out)) + layer["biases"]

    def at(array, u, v):
        return array[:, u : u + (height - 1) * sy + 1 : sy, v : v + (width - 1) * sx + 1 : sx]

    for u, v in np.ndindex(h, w):
        at(out, u, v)[...] += x @ kernel[:, u, v].T

    def backward(gradient):
        of_kernel, of_x = np.zeros_like(kernel), np.zeros_like(x)
        for u, v in np.ndindex(h, w):
            of_kernel[:, u, v] = np.tensordot(at(gradient, u, v), x, axes=((0, 1, 2), (0, 1, 2)))
            of_x += at(gradient, u, v) @ kernel[:, u, v]
        return [of_x], {"kernel": of_kernel, "biases": gradient.sum(axis=(0, 1, 2))}

    return out, backward


def fully_connected(layer, x):
    out = x @ layer["weights"].T + layer["biases"]
    return out, lambda g: ([g @ layer["weights"]], {"weights": g.T @ x, "biases": g.sum(axis=0)})


def batch_norm(layer, x):
    """By the batch's own mean and variance, which the layer keeps an average of."""
    axes = tuple(range(x.ndim - 1))
    count = x.size // x.shape[-1]
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    for name, value in [("mean", mean), ("variance", variance)]:
        layer[name] += (1 - MOMENTUM) * (value - layer[name])
    deviation = np.sqrt(variance + layer["epsilon"])
    normal = (x - mean) / deviation

    def backward(gradient):
        of_scale, of_shift = (gradient * normal).sum(axis=axes), gradient.sum(axis=axes)
        of_x = (gradient - of_shift / count - normal * of_scale / count) * layer["scale"] / deviation
        return [of_x], {"scale": of_scale, "shift": of_shift}

    return normal * layer["scale"] + layer["shift"], backward


def relu(layer, x):
    return np.maximum(x, 0), lambda g: ([g * (x > 0)], {})


def clip(layer, x):
    inside = (x > layer["least"]) & (x < layer["greatest"])
    return np.clip(x, layer["least"], layer["greatest"]), lambda g: ([g * inside], {})


def affine(layer, x):
    """Of factors that are not trained."""
    return x * layer["weights"] + layer["biases"], lambda g: ([g * layer["weights"]], {})


def add(layer, *operands):
    return sum(operands), lambda g: ([g] * len(operands), {})


def multiply(layer, x, y):
    """An image by a factor for each channel."""
    factors = y[:, None, None, :]
    return x * factors, lambda g: ([g * factors, (g * x).sum(axis=(1, 2))], {})


def global_average_pool(layer, x):
    _, height, width, _ = x.shape
    spread = lambda g: np.broadcast_to(g[:, None, None] / (height * width), x.shape)
    return x.mean(axis=(1, 2)), lambda g: ([spread(g)], {})


def reduce_mean(layer, x):
    """Of a line."""
    return x.mean(axis=1), lambda g: ([np.broadcast_to(g[:, None] / x.shape[1], x.shape)], {})


def reshape(layer, x):
    return x.reshape(len(x), *layer["shape"]), lambda g: ([g.reshape(x.shape)], {})


def flatten(layer, x):
    return x.reshape(len(x), -1), lambda g: ([g.reshape(x.shape)], {})


OF_BATCHES = {
    function.__name__: function
    for function in [convolution, convolution_1d, transposed_convolution, fully_connected, batch_norm, relu, clip, affine]
    + [add, multiply, global_average_pool, reduce_mean, reshape, flatten]
}


class Network:
    """Layers as in a file, added one after the other, that can be trained."""

    def __init__(self, rng):
        self.rng, self.layers, self.shapes = rng, [], {"input": [8, 8, 1]}
        self.moments, self.steps = {}, 0

    def layer(self, layer_type, reads=None, name=None, **fields):
        """Adds a layer, which reads the one before it unless told otherwise, and gives its name."""
        name = name or f"{layer_type}_{len(self.layers)}"
        before = self.layers[-1]["name"] if self.layers else "input"
        names = reads or [before]
        layer = {"layer_type": layer_type, "name": name, "inputs": names, "input_shape": self.shapes[names[0]], **fields}
        self.layers.append(layer)
        sample = [np.zeros(self.shapes[source]) for source in names]
        self.shapes[name] = list(reference.run(layer, sample).shape)
        return name

    def convolution(self, outputs, size, reads=None, groups=1, **fields):
        source = (reads or [self.layers[-1]["name"] if self.layers else "input"])[0]
        inputs = self.shapes[source][-1]
        kernel = initial(self.rng, outputs, size, size, inputs // groups)
        biases = np.zeros(outputs)
        return self.layer("convolution", reads, kernel=kernel, biases=biases, groups=groups, **fields)

    def dense(self, outputs):
        [inputs] = self.shapes[self.layers[-1]["name"]]
        weights = initial(self.rng, outputs, inputs)
        return self.layer("fully_connected", weights=weights, biases=np.zeros(outputs))

    def norm(self):
        channels = self.shapes[self.layers[-1]["name"]][-1]
        fields = {"scale": np.ones(channels), "shift": np.zeros(channels)}
        fields |= {"mean": np.zeros(channels), "variance": np.ones(channels), "epsilon": 1e-5}
        return self.layer("batch_norm", **fields)

    def step(self, x, gradient_of):
        """One step down the gradient of a loss, whose gradient is given for the output of a batch."""
        outputs, backwards = {"input": x}, []
        for layer in self.layers:
            operands = [outputs[source] for source in layer["inputs"]]
            outputs[layer["name"]], backward = OF_BATCHES[layer["layer_type"]](layer, *operands)
            backwards.append(backward)
        gradients = {self.layers[-1]["name"]: gradient_of(outputs[self.layers[-1]["name"]])}
        self.steps += 1
        for layer, backward in zip(reversed(self.layers), reversed(backwards)):
            of_operands, of_fields = backward(gradients.pop(layer["name"]))
            for source, gradient in zip(layer["inputs"], of_operands):
                gradients[source] = gradients.get(source, 0) + gradient
            for field, gradient in of_fields.items():
                self.adam(layer, field, gradient)

    def adam(self, layer, field, gradient):
        zeros = lambda: [np.zeros_like(gradient), np.zeros_like(gradient)]
        first, second = self.moments.setdefault((layer["name"], field), zeros())
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        scaled = first / (1 - 0.9**self.steps), second / (1 - 0.999**self.steps)
        layer[field] = layer[field] - LEARNING_RATE * scaled[0] / (np.sqrt(scaled[1]) + 1e-8)

    def round(self):
        for layer in self.layers:
            for field, value in layer.items():
                if isinstance(value, np.ndarray):
                    layer[field] = np.array([float(f"{x:.5g}") for x in value.flat]).reshape(value.shape)

    def model(self):
        return {"input_range": PIXEL_RANGE, "layers": self.layers}

    def output(self, image):
        return reference.evaluate(self.model(), image)[len(self.layers) - 1]


def residual(rng):
    net = Network(rng)
    net.convolution(8, 3, before=1, after=1)
    net.norm()
    before = net.layer("relu")
    for outputs, stride in [(8, 1), (16, 2)]:
        net.convolution(outputs, 3, [before], before=1, after=1, stride=stride)
        net.norm()
        net.layer("relu")
        net.convolution(outputs, 3, before=1, after=1)
        main = net.norm()
        if stride > 1:
            net.convolution(outputs, 1, [before], stride=stride)
            before = net.norm()
        net.layer("add", [main, before])
        before = net.layer("relu")
    net.layer("global_average_pool")
    net.dense(10)
    return net


def mobile(rng):
    net = Network(rng)
    net.convolution(8, 3, before=1, after=1)
    net.norm()
    before = net.layer("clip", least=0, greatest=6)
    for stride in [1, 2]:
        net.convolution(24, 1, [before])
        net.norm()
        net.layer("clip", least=0, greatest=6)
        net.convolution(24, 3, before=1, after=1, groups=24, stride=stride)
        net.norm()
        wide = net.layer("clip", least=0, greatest=6)
        net.layer("global_average_pool")
        net.dense(6)
        net.layer("relu")
        net.dense(24)
        # (x + 3) / 6, from 0 to 1.
        net.layer("affine", weights=np.full(24, 1 / 6), biases=np.full(24, 0.5))
        gate = net.layer("clip", least=0, greatest=1)
        net.layer("multiply", [wide, gate])
        net.convolution(8, 1)
        narrow = net.norm()
        before = net.layer("add", [narrow, before]) if stride == 1 else narrow
    net.layer("global_average_pool")
    net.dense(10)
    return net


def dilated(rng):
    net = Network(rng)
    before = net.layer("reshape", shape=[64, 1])
    for dilation in [1, 2, 4, 8, 16]:
        inputs = net.shapes[before][-1]
        kernel = initial(rng, 16, 3, inputs)
        borders = {"before": dilation, "after": dilation, "dilation": dilation}
        net.layer("convolution_1d", [before], kernel=kernel, biases=np.zeros(16), **borders)
        net.norm()
        after = net.layer("relu")
        before = net.layer("add", [after, before]) if inputs == 16 else after
    net.layer("reduce_mean", axes=[0])
    net.dense(10)
    return net


def autoencoder(rng):
    net = Network(rng)
    net.convolution(8, 2, stride=2)
    net.layer("relu")
    net.convolution(16, 2, stride=2)
    net.layer("relu")
    net.layer("flatten")
    net.dense(12)
    net.dense(64)
    net.layer("relu")
    net.layer("reshape", shape=[2, 2, 16])
    net.layer("transposed_convolution", kernel=initial(rng, 8, 2, 2, 16), biases=np.zeros(8), stride=2)
    net.layer("relu")
    net.layer("transposed_convolution", kernel=initial(rng, 1, 2, 2, 8), biases=np.zeros(1), stride=2)
    return net


def train(net, images, gradient_of, epochs, rng):
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            net.step(images[batch], lambda output: gradient_of(output, batch))
    net.round()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    images = digits.images[..., None]
    test, training = train_digits.split(len(images))
    known, targets = images[training], np.eye(10)[digits.target[training]]

    def of_classes(scores, batch):
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True) - targets[batch]) / len(batch)

    def of_pixels(output, batch):
        return (output - known[batch]) / len(batch)

    for build, epochs in [(residual, 25), (mobile, 40), (dilated, 40), (autoencoder, 60)]:
        rng = np.random.default_rng(SEED)
        net = build(rng)
        train(net, known, of_pixels if build is autoencoder else of_classes, epochs, rng)
        outputs = np.array([net.output(image) for image in images[test]])
        if build is autoencoder:
            told = f"off by {np.sqrt(np.mean((outputs - images[test]) ** 2)):.2f} of 16 a pixel"
        else:
            told = f"{np.mean(outputs.argmax(axis=1) == digits.target[test]):.2%} of the test images"
        print(f"{build.__name__}: {told}")
        described = [
            {field: tensor_json(value) if isinstance(value, np.ndarray) else value for field, value in layer.items()}
            for layer in net.layers
        ]
        write(folder / f"{build.__name__}.json", {**net.model(), "layers": described})


if __name__ == "__main__":
    main()
