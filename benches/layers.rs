//! What each type of layer costs, beside what had to be written before there was one, and what choices among many cost:
//! `cargo bench layers`, `cargo bench wide`.
//!
//! Each is a network of its own, of numbers from -8 to 7, proved with the defaults. So all figures hold the input, its
//! commitment and the blinding too, which the first line has alone.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/random.rs"]
mod random;

use asked::is_asked_for;
use ndarray::{ArrayD, IxDyn};
use random::{Random, tensor};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Instant;
use zknn::artifact::{FileKind, Options, to_bytes};
use zknn::front::Model;
use zknn::{Lowering, compile, lower, verify};

/// The command's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Proofs of each network, of which the fastest counts.
const RUNS: usize = 5;

/// What a layer was written as before.
enum Nearest {
    /// A fully connected layer of the same matrix.
    Dense,
    /// These layers.
    Layers(Vec<Value>),
    /// Nothing else says it.
    None,
}

struct Case {
    name: &'static str,
    input: &'static [usize],
    layers: Vec<Value>,
    nearest: Nearest,
}

fn main() -> Outcome<()> {
    if is_asked_for("layers") {
        layers()?;
    }
    if is_asked_for("wide") {
        wide()?;
    }
    Ok(())
}

fn layers() -> Outcome<()> {
    println!("layers: least of {RUNS} proofs; in brackets the same without this type of layer");
    println!("{:<28} {:>23} {:>23} {:>19}", "layer", "kcells", "prove ms", "proof kB");
    for case in cases() {
        let nearest = match case.nearest {
            Nearest::Dense => Some(dense(&case.layers, case.input)?),
            Nearest::Layers(layers) => Some(layers),
            Nearest::None => None,
        };
        let figures = measure(case.layers, case.input)?;
        let before = nearest.map(|layers| measure(layers, case.input)).transpose()?;
        let column = |of: fn(&Figures) -> f64, digits: usize| match &before {
            Some(before) => format!("{:.digits$} ({:.digits$})", of(&figures), of(before)),
            None => format!("{:.digits$} (-)", of(&figures)),
        };
        let cells = column(|figures| figures.cells as f64 / 1e3, 0);
        let prove = column(|figures| figures.prove * 1e3, 1);
        let proof = column(|figures| figures.proof as f64 / 1e3, 0);
        println!("{:<28} {cells:>23} {prove:>23} {proof:>19}", case.name);
    }
    Ok(())
}

fn wide() -> Outcome<()> {
    println!("wide: least of {RUNS} proofs");
    println!(
        "{:<28} {:>10} {:>10} {:>10} {:>10} {:>11}",
        "layer", "kcells", "prove ms", "verify ms", "proof kB", "compile s"
    );
    let image: &[usize] = &[64, 64, 1];
    let cases: [(&str, &[usize], Value); 6] = [
        ("argmax of 1000", &[1000], json!({"layer_type": "argmax"})),
        ("argmax of 4000", &[4000], json!({"layer_type": "argmax"})),
        ("argmax of 50000", &[50_000], json!({"layer_type": "argmax"})),
        ("5 greatest of 1000", &[1000], json!({"layer_type": "top_k", "k": 5})),
        ("max_pool 64x64", image, json!({"layer_type": "max_pool", "window": 64})),
        ("max_pool 64x64, 8 channels", &[64, 64, 8], json!({"layer_type": "max_pool", "window": 64})),
    ];
    for (name, input, layer) in cases {
        let figures = measure(vec![layer], input)?;
        println!(
            "{name:<28} {:>10.0} {:>10.1} {:>10.1} {:>10.0} {:>11.2}",
            figures.cells as f64 / 1e3,
            figures.prove * 1e3,
            figures.verify * 1e3,
            figures.proof as f64 / 1e3,
            figures.compile
        );
    }
    Ok(())
}

/// Of one network; times in seconds, sizes in bytes.
struct Figures {
    /// Rows times wires, of all rows that are used.
    cells: usize,
    compile: f64,
    prove: f64,
    verify: f64,
    proof: usize,
}

fn measure(layers: Vec<Value>, input: &[usize]) -> Outcome<Figures> {
    let model = model(layers, input)?;
    let start = Instant::now();
    let circuit = compile(lower(&model, &Lowering::default(), &mut |_, _| {})?, Options::default())?;
    let compile = start.elapsed().as_secs_f64();
    let mut random = Random(3);
    let input = ArrayD::from_shape_simple_fn(IxDyn(input), || (random.next() * 16.0).floor() - 8.0);
    let proof = circuit.prove(&input)?;
    let prove = least_seconds(|| Ok(circuit.prove(&input)?))?;
    let verify = least_seconds(|| Ok(verify(circuit.key(), &proof)?))?;
    let layout = &circuit.plan().layout;
    let cells = layout.rows() * layout.wires;
    Ok(Figures { cells, compile, prove, verify, proof: to_bytes(FileKind::Proof, &proof).len() })
}

fn least_seconds<T>(work: impl Fn() -> Outcome<T>) -> Outcome<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        least = least.min(start.elapsed().as_secs_f64());
    }
    Ok(least)
}

/// A network of these layers, the first of which takes this input; each layer gets the shape that the one before it gives.
fn model(mut layers: Vec<Value>, input: &[usize]) -> Outcome<Model> {
    for count in 1..=layers.len() {
        let shape = if count == 1 {
            input.to_vec()
        } else {
            let before = parse(&layers[..count - 1])?;
            before.output_shape().to_vec()
        };
        layers[count - 1]["input_shape"] = json!(shape);
    }
    parse(&layers)
}

fn parse(layers: &[Value]) -> Outcome<Model> {
    Ok(Model::parse("model.json", json!({"input_range": [-8, 7], "layers": layers}).to_string())?)
}

/// The fully connected layer of the matrix of linear layers, with the flattening that it takes.
fn dense(layers: &[Value], input: &[usize]) -> Outcome<Vec<Value>> {
    let model = model(layers.to_vec(), input)?;
    let inputs = input.iter().product();
    let zeros = zknn::nn::run(&model, &ArrayD::<f64>::zeros(IxDyn(input)))?;
    let mut matrix = vec![0.0; zeros.len() * inputs];
    for at in 0..inputs {
        let mut unit = ArrayD::<f64>::zeros(IxDyn(input));
        unit.as_slice_mut().ok_or("a new array is in order")?[at] = 1.0;
        let output = zknn::nn::run(&model, &unit)?;
        for (row, (value, zero)) in output.iter().zip(&zeros).enumerate() {
            matrix[row * inputs + at] = value - zero;
        }
    }
    let mut elements = matrix.into_iter();
    let weights = tensor(&[zeros.len(), inputs], || elements.next().unwrap_or_default());
    let layer =
        json!({"layer_type": "fully_connected", "weights": weights, "biases": one_dimensional(zeros.iter().copied())});
    Ok(vec![json!({"layer_type": "flatten"}), layer])
}

fn one_dimensional(elements: impl IntoIterator<Item = f64>) -> Value {
    let data: Vec<f64> = elements.into_iter().collect();
    json!({"v": 1, "dim": [data.len()], "data": data})
}

/// What stands under a relu, and what is made of it.
struct Relu {
    /// The factor of an element.
    own: f64,
    /// The factor of the element at the same place from the end.
    mirrored: f64,
    bias: f64,
    /// Of what the relu gives.
    factor: f64,
}

/// Relus between two fully connected layers: the sum of these of each element, and `offset`.
fn around_relu(elements: usize, offset: f64, relus: &[Relu]) -> Nearest {
    let inner_count = elements * relus.len();
    let mut inner = vec![0.0; inner_count * elements];
    let mut outer = vec![0.0; elements * inner_count];
    let mut biases = Vec::new();
    for element in 0..elements {
        for (at, relu) in relus.iter().enumerate() {
            let row = element * relus.len() + at;
            inner[row * elements + element] += relu.own;
            inner[row * elements + elements - 1 - element] += relu.mirrored;
            biases.push(relu.bias);
            outer[element * inner_count + row] = relu.factor;
        }
    }
    let dense = |outputs: usize, inputs: usize, weights: Vec<f64>, biases: Vec<f64>| {
        let weights = json!({"v": 1, "dim": [outputs, inputs], "data": weights});
        json!({"layer_type": "fully_connected", "weights": weights, "biases": one_dimensional(biases)})
    };
    Nearest::Layers(vec![
        dense(inner_count, elements, inner, biases),
        json!({"layer_type": "relu"}),
        dense(elements, inner_count, outer, vec![offset; elements]),
    ])
}

const IMAGE: &[usize] = &[12, 12, 8];
const VECTOR: &[usize] = &[256];

fn cases() -> Vec<Case> {
    let mut cases = linear_cases();
    cases.extend(pointwise_cases());
    cases.extend(pooling_cases());
    cases.extend(view_cases());
    cases
}

fn linear_cases() -> Vec<Case> {
    let mut random = Random(5);
    let mut weights = |dim: &[usize]| tensor(dim, || (random.next() * 15.0).floor() - 7.0);
    let kernel = weights(&[8, 3, 3, 8]);
    let border = json!({"layer_type": "convolution", "kernel": kernel, "before": 1, "after": 1});
    let with = |field: &str, value: Value| {
        let mut layer = border.clone();
        layer[field] = value;
        layer
    };
    let mut depthwise = with("groups", json!(8));
    depthwise["kernel"] = weights(&[8, 3, 3, 1]);
    let line = json!({"layer_type": "convolution_1d", "kernel": weights(&[8, 3, 8]), "dilation": 2});
    let transposed = json!({"layer_type": "transposed_convolution", "kernel": weights(&[8, 2, 2, 8]), "stride": 2});
    let one = || json!({"v": 1, "dim": [8], "data": [1, 1, 1, 1, 1, 1, 1, 1]});
    let norm = json!({"layer_type": "batch_norm", "scale": weights(&[8]), "shift": weights(&[8]), "mean": weights(&[8]),
        "variance": one()});
    let affine = json!({"layer_type": "affine", "weights": weights(IMAGE), "biases": weights(IMAGE)});
    let cases: [(&'static str, &'static [usize], Value); 9] = [
        ("convolution", IMAGE, border.clone()),
        ("convolution, stride 2", IMAGE, with("stride", json!(2))),
        ("convolution, dilation 2", IMAGE, with("dilation", json!(2))),
        ("convolution, depthwise", IMAGE, depthwise),
        ("convolution_1d, dilation 2", &[144, 8], line),
        ("transposed_convolution", &[6, 6, 8], transposed),
        ("batch_norm", IMAGE, norm),
        ("affine by element", IMAGE, affine),
        ("negate", IMAGE, json!({"layer_type": "negate"})),
    ];
    cases.map(|(name, input, layer)| Case { name, input, layers: vec![layer], nearest: Nearest::Dense }).into()
}

fn pointwise_cases() -> Vec<Case> {
    let mirrored = |layer_type: &str| {
        let indices: Vec<usize> = (0..VECTOR[0]).rev().collect();
        vec![
            json!({"layer_type": "gather", "axis": 0, "indices": indices, "name": "mirrored"}),
            json!({"layer_type": layer_type, "inputs": ["mirrored", "input"]}),
        ]
    };
    let relu = |own: f64, mirrored: f64, bias: f64, factor: f64| Relu { own, mirrored, bias, factor };
    let around = |offset: f64, relus: &[Relu]| around_relu(VECTOR[0], offset, relus);
    // What is mirrored, told as a difference of relus.
    let other = |sign: f64| [relu(0.0, 1.0, 0.0, sign), relu(0.0, -1.0, 0.0, -sign)];
    let [positive, negative] = other(1.0);
    let maximum = around(0.0, &[relu(1.0, -1.0, 0.0, 1.0), positive, negative]);
    let [positive, negative] = other(1.0);
    let minimum = around(0.0, &[relu(-1.0, 1.0, 0.0, -1.0), positive, negative]);
    let leaky = around(0.0, &[relu(1.0, 0.0, 0.0, 1.0), relu(-1.0, 0.0, 0.0, -0.1)]);
    let clip = around(-3.0, &[relu(1.0, 0.0, 3.0, 1.0), relu(1.0, 0.0, -3.0, -1.0)]);
    let absolute = around(0.0, &[relu(1.0, 0.0, 0.0, 1.0), relu(-1.0, 0.0, 0.0, 1.0)]);
    let case = |name, layers, nearest| Case { name, input: VECTOR, layers, nearest };
    vec![
        case("relu", vec![json!({"layer_type": "relu"})], Nearest::None),
        case("leaky_relu", vec![json!({"layer_type": "leaky_relu", "slope": 0.1})], leaky),
        case("clip", vec![json!({"layer_type": "clip", "least": -3, "greatest": 3})], clip),
        case("absolute", vec![json!({"layer_type": "absolute"})], absolute),
        case("square", vec![json!({"layer_type": "square"})], Nearest::None),
        case("add", mirrored("add"), Nearest::Dense),
        case("subtract", mirrored("subtract"), Nearest::Dense),
        case("multiply", mirrored("multiply"), Nearest::None),
        case("maximum", mirrored("maximum"), maximum),
        case("minimum", mirrored("minimum"), minimum),
        case("argmax", vec![json!({"layer_type": "argmax"})], Nearest::None),
        case("argmin", vec![json!({"layer_type": "argmin"})], Nearest::None),
        case("top_k, 3", vec![json!({"layer_type": "top_k", "k": 3})], Nearest::None),
        case("normalize", vec![json!({"layer_type": "normalize"})], Nearest::None),
    ]
}

fn pooling_cases() -> Vec<Case> {
    let average = json!({"layer_type": "average_pool", "window": 2});
    let overlapping = json!({"layer_type": "average_pool", "window": 3, "stride": 1, "before": 1, "after": 1});
    let max = json!({"layer_type": "max_pool", "window": 3, "stride": 2, "before": 1});
    let whole = json!({"layer_type": "max_pool", "window": 12});
    let reduce = |of: &str| json!({"layer_type": format!("reduce_{of}"), "axes": [2]});
    let cases = [
        ("average_pool 2x2", average, Nearest::Dense),
        ("average_pool 3x3, stride 1", overlapping, Nearest::Dense),
        ("global_average_pool", json!({"layer_type": "global_average_pool"}), Nearest::Dense),
        ("reduce_sum", reduce("sum"), Nearest::Dense),
        ("reduce_mean", reduce("mean"), Nearest::Dense),
        ("max_pool 2x2", json!({"layer_type": "max_pool", "window": 2}), Nearest::None),
        ("max_pool 3x3, stride 2", max, Nearest::None),
        ("global_max_pool", json!({"layer_type": "global_max_pool"}), Nearest::Layers(vec![whole])),
        ("reduce_max", reduce("max"), Nearest::None),
        ("reduce_min", reduce("min"), Nearest::None),
    ];
    cases.map(|(name, layer, nearest)| Case { name, input: IMAGE, layers: vec![layer], nearest }).into()
}

fn view_cases() -> Vec<Case> {
    let cases = [
        ("flatten", json!({"layer_type": "flatten"}), Nearest::None),
        ("reshape", json!({"layer_type": "reshape", "shape": [144, 8]}), Nearest::Dense),
        ("transpose", json!({"layer_type": "transpose", "axes": [2, 0, 1]}), Nearest::Dense),
        ("slice", json!({"layer_type": "slice", "axis": 0, "start": 0, "end": 12, "step": 2}), Nearest::Dense),
        ("gather", json!({"layer_type": "gather", "axis": 0, "indices": [3, 1, 3]}), Nearest::Dense),
        ("padding", json!({"layer_type": "padding", "before": [1, 1, 0], "after": [1, 1, 0]}), Nearest::Dense),
        ("upsample", json!({"layer_type": "upsample", "factor": 2}), Nearest::Dense),
        ("tile", json!({"layer_type": "tile", "repeats": [1, 1, 2]}), Nearest::Dense),
        ("expand", json!({"layer_type": "expand", "shape": [2, 12, 12, 8]}), Nearest::Dense),
        ("concat", json!({"layer_type": "concat", "axis": 2, "inputs": ["input", "input"]}), Nearest::Dense),
    ];
    cases.map(|(name, layer, nearest)| Case { name, input: IMAGE, layers: vec![layer], nearest }).into()
}
