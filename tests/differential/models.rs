//! Random models: all layers, odd shapes, extreme weights; and inputs at both ends of their ranges.

use ndarray::{ArrayD, ArrayViewMutD, Axis, IxDyn};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use zknn::front::{Attribute, Composed, INPUT, Layer, LayerKind, Model, Steps};

/// What weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Integers, which are proved exactly.
    Integer,
    /// Fractions, which are rounded.
    Real,
}

/// A model with a declared input range.
pub fn model(sort: Sort, random: &mut ChaCha20Rng) -> Model {
    let mut shape = match random.r#gen() {
        true => vec![random.gen_range(1..=7), random.gen_range(1..=7), random.gen_range(1..=3)],
        false => vec![random.gen_range(1..=9)],
    };
    let mut layers = Vec::new();
    for _ in 0..random.gen_range(1..=6) {
        let kind = layer(&shape, sort, random);
        let ends = matches!(kind, LayerKind::Normalize | LayerKind::Argmax { .. });
        let alone = Model::new(vec![Layer::new(kind, shape)], None).unwrap_or_else(|error| panic!("it fits: {error}"));
        shape = alone.output_shape().to_vec();
        layers.extend(alone.layers().iter().cloned());
        if ends {
            break;
        }
    }
    let ranges = [(-128, 127), (0, 255), (-5, 4), (7, 7), (-1, 0), (-(1 << 31), 1 << 31), (-3, 1000)];
    Model::new(layers, ranges.choose(random).copied()).expect("the layers chain")
}

/// The same with branches that meet again in sums, and borders.
pub fn graph(sort: Sort, random: &mut ChaCha20Rng) -> Model {
    let mut growing = Growing { layers: Vec::new(), shape: vec![], last: INPUT.to_string() };
    growing.shape = match random.r#gen() {
        true => vec![random.gen_range(1..=5), random.gen_range(1..=5), random.gen_range(1..=2)],
        false => vec![random.gen_range(1..=6)],
    };
    for _ in 0..random.gen_range(1..=3) {
        growing.join(sort, random);
        let kind = match random.gen_range(0..3) {
            0 => LayerKind::Padding {
                before: growing.shape.iter().map(|_| random.gen_range(0..=1)).collect(),
                after: growing.shape.iter().map(|_| random.gen_range(0..=1)).collect(),
                value: 0.0,
            },
            _ => layer(&growing.shape, sort, random),
        };
        let ends = matches!(kind, LayerKind::Normalize | LayerKind::Argmax { .. });
        growing.push(kind);
        if ends {
            break;
        }
    }
    let ranges = [(-128, 127), (0, 255), (-5, 4), (7, 7), (-1, 0), (-3, 1000)];
    Model::new(growing.layers, ranges.choose(random).copied()).expect("all is read, and fits")
}

/// Convolutions that stride, dilate and go group by group, between borders and maxima with zero.
pub fn stepping(sort: Sort, random: &mut ChaCha20Rng) -> Model {
    let start = vec![random.gen_range(4..=8), random.gen_range(4..=8), random.gen_range(1..=4)];
    let mut growing = Growing { layers: Vec::new(), shape: start, last: INPUT.to_string() };
    for _ in 0..random.gen_range(1..=3) {
        let ends = vec![random.gen_range(0..=1), random.gen_range(0..=1), 0];
        growing.push(LayerKind::Padding { before: ends.clone(), after: ends, value: 0.0 });
        let &[height, width, channels] = &growing.shape[..] else { unreachable!("an image") };
        // Depthwise, dense, or between.
        let divides: Vec<usize> = (1..=channels).filter(|&groups| channels.is_multiple_of(groups)).collect();
        let groups = *divides.choose(random).expect("one divides");
        let outputs = groups * random.gen_range(1..=2);
        let side = |length: usize, random: &mut ChaCha20Rng| {
            let kernel = random.gen_range(1..=length.min(3));
            let most = if kernel == 1 { 3 } else { (length - 1) / (kernel - 1) };
            (kernel, random.gen_range(1..=most.min(3)), random.gen_range(1..=3))
        };
        let ((kh, dh, sh), (kw, dw, sw)) = (side(height, random), side(width, random));
        let kernel = tensor(&[outputs, kh, kw, channels / groups], 127, sort, random);
        let biases = random.r#gen::<bool>().then(|| tensor(&[outputs], 127, sort, random));
        let mut edge = || random.gen_range(0..=2);
        let (before, after) = ([edge(), edge()], [edge(), edge()]);
        let steps = Steps { stride: [sh, sw], dilation: [dh, dw], groups, before, after };
        growing.push(LayerKind::Convolution { kernel, biases, steps });
        growing.push(LayerKind::Relu);
        let &[height, width, _] = &growing.shape[..] else { unreachable!("an image") };
        if height > 2 && width > 2 {
            let side = |random: &mut ChaCha20Rng| {
                let window = random.gen_range(2..=3);
                (window, random.gen_range(1..=3), random.gen_range(0..window))
            };
            let ((h, sh, t), (w, sw, l)) = (side(random), side(random));
            growing.push(LayerKind::MaxPool { window: [h, w], stride: Some([sh, sw]), before: [t, l], after: [0, 0] });
        }
    }
    let range = [(-128, 127), (0, 255), (-5, 4)].choose(random).copied();
    Model::new(growing.layers, range).expect("the layers chain")
}

/// Layers of the table, each of which reads the one before and, where it takes two tensors, another of the same shape.
pub fn composed(sort: Sort, random: &mut ChaCha20Rng) -> Model {
    let shape = (0..random.gen_range(1..=3)).map(|_| random.gen_range(1..=5)).collect();
    let mut growing = Growing { layers: Vec::new(), shape, last: INPUT.to_string() };
    for _ in 0..random.gen_range(1..=5) {
        let (layer_type, attributes, reads_two) = composed_layer(&growing.shape, sort, random);
        let kind = LayerKind::Composed(Composed::new(layer_type, attributes).expect("a type with its fields"));
        if reads_two {
            growing.push_pair(kind, sort, random);
        } else {
            growing.push(kind);
        }
    }
    let range = [(-128, 127), (0, 255), (-5, 4), (7, 7), (-1, 0)].choose(random).copied();
    Model::new(growing.layers, range).expect("the layers chain")
}

type Attributes = Vec<(&'static str, Attribute)>;

/// The type of a layer that fits an input of this shape, its fields, and whether it reads two tensors.
fn composed_layer(shape: &[usize], sort: Sort, random: &mut ChaCha20Rng) -> (&'static str, Attributes, bool) {
    let axis = random.gen_range(0..shape.len());
    let integers = |values: &[usize]| Attribute::Integers(values.to_vec());
    let one = |name: &'static str, attribute: Attribute| vec![(name, attribute)];
    let number = |largest: i32, random: &mut ChaCha20Rng| {
        let whole = f64::from(random.gen_range(0..=largest));
        Attribute::Number(if sort == Sort::Integer { whole } else { whole * random.gen_range(0.01..1.0) })
    };
    match random.gen_range(0..20) {
        0 => {
            let which = if random.r#gen() { shape } else { &shape[shape.len() - 1..] };
            let mut field = |name| (name, Attribute::Tensor(tensor(which, 127, sort, random)));
            ("affine", vec![field("weights"), field("biases")], false)
        }
        // Their weights are fractions, if they sum more than one number.
        1 if shape.len() == 3 && sort == Sort::Real => ("global_average_pool", vec![], false),
        2 if sort == Sort::Real => ("reduce_mean", one("axes", integers(&[axis])), false),
        3 if shape.len() == 3 => ("global_max_pool", vec![], false),
        4 => ("reduce_sum", one("axes", integers(&[axis])), false),
        5 => ("reduce_max", one("axes", integers(&[axis])), false),
        6 => ("reduce_min", one("axes", integers(&[axis])), false),
        7 => ("leaky_relu", one("slope", number(3, random)), false),
        8 => ("clip", one(["least", "greatest"][random.gen_range(0..2)], number(200, random)), false),
        9 => ("absolute", vec![], false),
        10 => ("negate", vec![], false),
        11 => ("square", vec![], false),
        12 => ("slice", vec![("axis", integers(&[axis])), ("start", integers(&[0])), ("end", integers(&[1]))], false),
        13 => {
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            axes.shuffle(random);
            ("transpose", one("axes", integers(&axes)), false)
        }
        14 if shape[axis] > 1 => ("top_k", vec![("k", integers(&[2])), ("axis", integers(&[axis]))], false),
        15 => ("concat", one("axis", integers(&[axis])), true),
        16 => ("multiply", vec![], true),
        17 => ("subtract", vec![], true),
        18 => ("minimum", vec![], true),
        _ => ("maximum", vec![], true),
    }
}

/// A model that grows layer by layer, each with a name of its own.
struct Growing {
    layers: Vec<Layer>,
    /// Of the last layer's output.
    shape: Vec<usize>,
    last: String,
}

impl Growing {
    fn push(&mut self, kind: LayerKind) {
        let alone = Layer::new(kind.clone(), self.shape.clone());
        let alone = Model::new(vec![alone], None).unwrap_or_else(|error| panic!("it fits: {error}"));
        let layer = Layer::new(kind, self.shape.clone()).reading(&[&self.last]);
        self.last = format!("layer {}", self.layers.len());
        self.layers.push(layer.named(&self.last));
        self.shape = alone.output_shape().to_vec();
    }

    /// A layer that reads the last one and a branch of the same shape, in any order.
    fn push_pair(&mut self, kind: LayerKind, sort: Sort, random: &mut ChaCha20Rng) {
        let (trunk, shape) = (self.last.clone(), self.shape.clone());
        self.keep_shape(sort, random);
        let mut reads = [trunk.as_str(), self.last.as_str()];
        reads.shuffle(random);
        let name = format!("layer {}", self.layers.len());
        let layer = Layer::new(kind, shape.clone()).reading(&reads).named(&name);
        let branch = Layer::new(LayerKind::Relu, shape).named("branch");
        let pair = vec![branch, layer.clone().reading(&[INPUT, "branch"])];
        self.shape = Model::new(pair, None).expect("two tensors of one shape").output_shape().to_vec();
        self.layers.push(layer);
        self.last = name;
    }

    /// One or two branches that keep the shape, and their sum with what they branch off from.
    fn join(&mut self, sort: Sort, random: &mut ChaCha20Rng) {
        let (trunk, shape) = (self.last.clone(), self.shape.clone());
        let mut ends = vec![trunk.clone()];
        for _ in 0..random.gen_range(1..=2) {
            self.last = trunk.clone();
            for _ in 0..random.gen_range(0..=2) {
                self.keep_shape(sort, random);
            }
            ends.push(self.last.clone());
        }
        ends.shuffle(random);
        let reads: Vec<&str> = ends.iter().map(String::as_str).collect();
        let sum = Layer::new(add(), shape).reading(&reads);
        self.last = format!("layer {}", self.layers.len());
        self.layers.push(sum.named(&self.last));
    }

    /// A layer, or a border and a convolution, whose output has the shape of its input.
    fn keep_shape(&mut self, sort: Sort, random: &mut ChaCha20Rng) {
        match (random.r#gen::<bool>(), &self.shape[..]) {
            (true, &[_, _, channels]) => {
                self.push(LayerKind::Padding { before: vec![1, 0, 0], after: vec![1, 2, 0], value: 0.0 });
                let kernel = tensor(&[channels, 3, 3, channels], 9, sort, random);
                self.push(LayerKind::Convolution { kernel, biases: None, steps: Steps::default() });
            }
            (true, &[length]) => {
                let weights = tensor(&[length, length], 9, sort, random);
                self.push(LayerKind::FullyConnected { weights, biases: None });
            }
            _ => self.push(LayerKind::Relu),
        }
    }
}

/// The model with weights taken away from some layers, and from some channels, and with biases of any size.
pub fn degenerate(model: &Model, random: &mut ChaCha20Rng) -> Model {
    let mut shape = model.input_shape();
    let mut changed = |layer: &Layer| {
        let mut kind = layer.kind.clone();
        if let LayerKind::Convolution { kernel: weights, biases, .. } | LayerKind::FullyConnected { weights, biases } =
            &mut kind
        {
            match random.gen_range(0..5) {
                0 => weights.fill(0.0),
                1 => weights.mapv_inplace(|w| -w.abs()),
                2 => weights.outer_iter_mut().filter(|_| random.r#gen()).for_each(|mut channel| channel.fill(0.0)),
                3 => {
                    let each = |mut channel: ArrayViewMutD<f64>| channel *= 10f64.powi(random.gen_range(-6..=2));
                    weights.outer_iter_mut().for_each(each);
                }
                _ => {}
            }
            let power = 10f64.powi(random.gen_range(-6..=6));
            let bias = biases.iter_mut().flat_map(|biases| biases.iter_mut());
            match random.gen_range(0..3) {
                0 => bias.for_each(|b| *b *= power),
                1 => bias.for_each(|b| *b = -b.abs() * power),
                _ => {}
            }
        }
        kind
    };
    let mut layers = Vec::new();
    for layer in model.layers() {
        layers.push(Layer::new(changed(layer), shape));
        shape = layer.output_shape();
    }
    Model::new(layers, model.input_range()).expect("no shape has changed")
}

/// Inputs at the lower end, at the upper, at either, and anywhere.
pub fn inputs(model: &Model, (lo, hi): (i64, i64), random: &mut ChaCha20Rng) -> Vec<ArrayD<f64>> {
    let shape = IxDyn(model.input_shape());
    let mut with = |mut element: Box<dyn FnMut(&mut ChaCha20Rng) -> i64>| {
        ArrayD::from_shape_simple_fn(shape.clone(), || element(random) as f64)
    };
    vec![
        with(Box::new(move |_| lo)),
        with(Box::new(move |_| hi)),
        with(Box::new(move |random| if random.r#gen() { lo } else { hi })),
        with(Box::new(move |random| random.gen_range(lo..=hi))),
    ]
}

/// Inputs as one tensor.
pub fn batch(inputs: &[ArrayD<f64>]) -> ArrayD<f64> {
    let views: Vec<_> = inputs.iter().map(|input| input.view()).collect();
    ndarray::stack(Axis(0), &views).expect("inputs of one shape")
}

/// A layer that fits an input of this shape.
fn layer(shape: &[usize], sort: Sort, random: &mut ChaCha20Rng) -> LayerKind {
    let largest = *[1, 9, 127, 1 << 15].choose(random).expect("a choice");
    let outputs = random.gen_range(1..=4);
    let biased: bool = random.r#gen();
    let biases = biased.then(|| tensor(&[outputs], largest, sort, random));
    match (shape, random.gen_range(0..8)) {
        (_, 0 | 1) => LayerKind::Relu,
        (&[h, w, c], 2..=4) => {
            let (kh, kw) = (random.gen_range(1..=h.min(3)), random.gen_range(1..=w.min(3)));
            let kernel = tensor(&[outputs, kh, kw, c], largest, sort, random);
            LayerKind::Convolution { kernel, biases, steps: Steps::default() }
        }
        (&[h, w, _], 5) => {
            let divides = |n: usize| (1..=n.min(4)).filter(|&d| n.is_multiple_of(d)).collect::<Vec<usize>>();
            let pick = |n: usize, random: &mut ChaCha20Rng| *divides(n).choose(random).expect("one divides");
            LayerKind::tiles([pick(h, random), pick(w, random)])
        }
        (&[_, _, _], _) => LayerKind::Flatten,
        (_, 2) => LayerKind::Normalize,
        (_, 3) => LayerKind::Argmax { axis: None },
        _ => {
            let inputs = shape.iter().product();
            LayerKind::FullyConnected { weights: tensor(&[outputs, inputs], largest, sort, random), biases }
        }
    }
}

/// Some weights are extreme, most are small, and zero is common.
fn tensor(shape: &[usize], largest: i64, sort: Sort, random: &mut ChaCha20Rng) -> ArrayD<f64> {
    let len = shape.iter().product();
    let integer = |random: &mut ChaCha20Rng| match random.gen_range(0..8) {
        0 => largest,
        1 => -largest,
        2 => 0,
        _ => random.gen_range(-largest.min(9)..=largest.min(9)),
    };
    let mut weight = || match sort {
        Sort::Integer => integer(random) as f64,
        Sort::Real => integer(random) as f64 * random.gen_range(0.01..1.0),
    };
    let data: Vec<f64> = (0..len).map(|_| weight()).collect();
    ArrayD::from_shape_vec(IxDyn(shape), data).expect("as long as its shape")
}

/// A sum of two tensors or more.
fn add() -> LayerKind {
    LayerKind::Composed(Composed::new("add", []).expect("a type without fields"))
}
