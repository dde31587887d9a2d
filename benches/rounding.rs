//! What rounding costs, network by network and bit by bit: `cargo bench --bench rounding`.
//!
//! Each network is rounded to 8, 10, 12 and 16 bits, with calibration inputs and without; with them also such that the mean square
//! error is least. In each field stands the error, the root of
//! the mean square relative to the spread of the outputs, in percent, on inputs that neither calibration nor scales have seen;
//! behind a network with labels how many points of accuracy are lost. What `compile` would refuse stands in brackets.

#[path = "shared/asked.rs"]
mod asked;
#[path = "shared/random.rs"]
mod random;

use asked::is_asked_for;
use ndarray::{Array1, ArrayD, Axis, IxDyn, Slice};
use random::{Random, tensor};
use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;
use zknn::evaluate::{Expected, Score, evaluate};
use zknn::front::{Model, read_labels, read_tensor};
use zknn::passes::Fit;
use zknn::rounding::measure;
use zknn::{Lowered, Lowering, lower_with_reals};

type Outcome<T> = Result<T, Box<dyn Error>>;

const BITS: [u32; 4] = [8, 10, 12, 16];

/// Of random inputs: those to calibrate with, and those that are measured.
const CALIBRATION: usize = 64;
const MEASURED: usize = 128;

/// What `compile` accepts.
const MAX_ERROR: f64 = 0.01;

struct Network {
    name: String,
    model: Model,
    calibration: ArrayD<f64>,
    inputs: ArrayD<f64>,
    labels: Option<Vec<usize>>,
}

fn main() -> Outcome<()> {
    if !is_asked_for("rounding") {
        return Ok(());
    }
    println!("rounding: error in % of the outputs' spread, points of accuracy lost; in brackets what compile refuses");
    let sorts = ["calibrated", "by squares", "uncalibrated"];
    let heads: Vec<String> = sorts.iter().flat_map(|sort| BITS.map(|bits| format!("{sort} {bits}"))).collect();
    println!("{:<30} {}", "network", heads.iter().map(|head| format!("{head:>16}")).collect::<String>());
    for network in networks()? {
        let mut fields = String::new();
        let calibrated = Some(&network.calibration);
        for (calibration, fit) in [(calibrated, Fit::Greatest), (calibrated, Fit::MeanSquare), (None, Fit::Greatest)] {
            for bits in BITS {
                fields += &format!("{:>16}", field(&network, bits, calibration, fit)?);
            }
        }
        println!("{:<30} {fields}", network.name);
    }
    Ok(())
}

/// What one way to round a network costs.
fn field(network: &Network, bits: u32, calibration: Option<&ArrayD<f64>>, fit: Fit) -> Outcome<String> {
    let calibration: Vec<ArrayD<f64>> = calibration.into_iter().cloned().collect();
    let lowering = Lowering { bits: Some(bits), calibration, fit, ..Lowering::default() };
    let Ok(Lowered { program: graph, reals, .. }) = lower_with_reals(&network.model, &lowering, &mut |_, _| {}) else {
        return Ok("(no room)".to_string());
    };
    let compiled = measure(&graph, &reals, &lowering.calibration)?.ok_or("it rounds")?;
    let inputs = std::slice::from_ref(&network.inputs);
    // What the range does not allow is no input.
    let error = measure(&graph, &reals, inputs).map_or(f64::INFINITY, |loss| loss.map_or(0.0, |loss| loss.error));
    let mut text = format!("{:.2}", 100.0 * error);
    if let Some(labels) = &network.labels {
        let evaluation = evaluate(&graph, Some(&reals), inputs, Expected::Labels(labels), &mut |_| {})?;
        if let Some(Score::Accuracy { float, integer }) = evaluation.score {
            text += &format!(" {:+.2}", 100.0 * (integer - float));
        }
    }
    Ok(if compiled.error <= MAX_ERROR { text } else { format!("({text})") })
}

fn networks() -> Outcome<Vec<Network>> {
    let mut networks = Vec::new();
    for path in ["digits/mlp", "digits/cnn", "networks/residual", "networks/mobile", "networks/dilated"] {
        networks.push(of_digits(path)?);
    }
    networks.push(Network { labels: None, ..of_digits("networks/autoencoder")? });
    for layers in [2, 4, 8, 16, 30] {
        networks.push(drawn(&format!("MLP of {layers} layers"), &[16], (-128, 127), mlp(layers, 0.0))?);
    }
    for spread in [1, 2, 4] {
        let name = format!("channels spread by 10^{spread}");
        networks.push(drawn(&name, &[16], (-128, 127), mlp(4, f64::from(spread)))?);
    }
    networks.push(drawn("LeNet, 32x32 in colour", &[32, 32, 3], (0, 255), lenet())?);
    networks.push(drawn("depthwise, 16x16", &[16, 16, 4], (0, 255), depthwise())?);
    networks.push(tabular()?);
    Ok(networks)
}

fn of_digits(path: &str) -> Outcome<Network> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let digits = |name: &str| testdata.join("digits").join(name);
    Ok(Network {
        name: path.replace('/', ", "),
        model: Model::read(&testdata.join(format!("{path}.json")))?,
        calibration: read_tensor(&digits("calibration.json"))?,
        inputs: read_tensor(&digits("test_inputs.json"))?,
        labels: Some(read_labels(&digits("test_labels.json"))?),
    })
}

/// A network of random weights, and inputs of smooth noise: sums of a level for the whole, and a part for each element.
fn drawn(name: &str, shape: &[usize], (lo, hi): (i64, i64), layers: Vec<Value>) -> Outcome<Network> {
    let model = Model::parse(name, json!({"input_range": [lo, hi], "layers": layers}).to_string())?;
    let mut random = Random(9);
    let elements: usize = shape.iter().product();
    let mut sample = || {
        let level = random.next();
        let middle = |random: &mut Random| 0.5 * (level + random.next());
        Array1::from_shape_simple_fn(elements, || lo as f64 + (hi - lo) as f64 * middle(&mut random))
    };
    let all: Vec<f64> = (0..CALIBRATION + MEASURED).flat_map(|_| sample()).collect();
    let all = ArrayD::from_shape_vec(IxDyn(&[&[CALIBRATION + MEASURED], shape].concat()), all)?;
    let part = |range| all.slice_axis(Axis(0), Slice::from(range)).to_owned();
    let (calibration, inputs) = (part(0..CALIBRATION), part(CALIBRATION..CALIBRATION + MEASURED));
    Ok(Network { name: name.to_string(), model, calibration, inputs, labels: None })
}

/// Layers of 16, as they are before training; each channel between them times a factor, up to ten to `spread`, which the next layer
/// takes back.
fn mlp(layers: usize, spread: f64) -> Vec<Value> {
    const WIDTH: usize = 16;
    let mut random = Random(3);
    let gain = |channel: usize| 10f64.powf(spread * channel as f64 / (WIDTH - 1) as f64);
    let mut described = Vec::new();
    for layer in 0..layers {
        let outputs = if layer + 1 == layers { 4 } else { WIDTH };
        let reach = (6.0 / WIDTH as f64).sqrt();
        let mut at = 0;
        let weights = tensor(&[outputs, WIDTH], || {
            let (output, input) = (at / WIDTH, at % WIDTH);
            at += 1;
            let behind = if layer + 1 == layers { 1.0 } else { gain(output) };
            (2.0 * random.next() - 1.0) * reach * behind / if layer == 0 { 1.0 } else { gain(input) }
        });
        described.push(json!({"layer_type": "fully_connected", "input_shape": [WIDTH], "weights": weights}));
        if layer + 1 < layers {
            described.push(json!({"layer_type": "relu", "input_shape": [WIDTH]}));
        }
    }
    described
}

/// Weights that keep numbers about as large as they are.
fn weights(dim: &[usize], random: &mut Random) -> Value {
    let inputs: usize = dim[1..].iter().product();
    let reach = (6.0 / inputs as f64).sqrt();
    tensor(dim, || (2.0 * random.next() - 1.0) * reach)
}

fn lenet() -> Vec<Value> {
    let random = &mut Random(4);
    let mut layers = Vec::new();
    for (size, inputs, outputs) in [(32, 3, 6), (14, 6, 16)] {
        let (filtered, pooled) = (size - 4, (size - 4) / 2);
        layers.extend([
            json!({"layer_type": "convolution", "input_shape": [size, size, inputs],
                "kernel": weights(&[outputs, 5, 5, inputs], random)}),
            json!({"layer_type": "relu", "input_shape": [filtered, filtered, outputs]}),
            json!({"layer_type": "max_pool", "input_shape": [filtered, filtered, outputs], "window": 2}),
        ]);
        if size == 14 {
            layers.push(json!({"layer_type": "flatten", "input_shape": [pooled, pooled, outputs]}));
        }
    }
    for (inputs, outputs) in [(400, 120), (120, 84), (84, 10)] {
        layers.push(json!({"layer_type": "fully_connected", "input_shape": [inputs], "weights": weights(&[outputs, inputs], random)}));
        if outputs > 10 {
            layers.push(json!({"layer_type": "relu", "input_shape": [outputs]}));
        }
    }
    layers
}

/// Depthwise and pointwise convolutions, with factors between them as batch normalization leaves them, and joins.
fn depthwise() -> Vec<Value> {
    let random = &mut Random(5);
    let image = [16, 16, 4];
    let mut layers = Vec::new();
    let mut before = "input".to_string();
    for block in 0..3 {
        let name = |part: &str| format!("{part} {block}");
        let gains = tensor(&[4], || 10f64.powf(2.0 * random.next() - 1.0));
        layers.extend([
            json!({"layer_type": "convolution", "name": name("depthwise"), "inputs": [before], "input_shape": image,
                "kernel": weights(&[4, 3, 3, 1], random), "groups": 4, "before": 1, "after": 1}),
            json!({"layer_type": "affine", "input_shape": image, "weights": gains}),
            json!({"layer_type": "relu", "input_shape": image}),
            json!({"layer_type": "convolution", "name": name("pointwise"), "input_shape": image,
                "kernel": weights(&[4, 1, 1, 4], random)}),
            json!({"layer_type": "add", "name": name("sum"), "input_shape": image, "inputs": [name("pointwise"), before]}),
        ]);
        before = name("sum");
    }
    layers.push(json!({"layer_type": "global_average_pool", "input_shape": image}));
    layers.push(json!({"layer_type": "fully_connected", "input_shape": [4], "weights": weights(&[3, 4], random)}));
    layers
}

/// Two ratios, a salary and an age.
fn tabular() -> Outcome<Network> {
    let layers = json!([
        {"layer_type": "fully_connected", "input_shape": [4], "weights": {"v": 1, "dim": [3, 4],
            "data": [1.0, -4.0, 2e-6, 0.01, -2.0, 3.0, 5e-6, -0.02, 1.5, 2.5, -3e-6, 0.004]}},
        {"layer_type": "relu", "input_shape": [3]},
        {"layer_type": "fully_connected", "input_shape": [3], "weights": {"v": 1, "dim": [2, 3],
            "data": [0.7, -0.4, 0.2, -0.3, 0.9, 0.5]}}
    ]);
    let model = Model::parse("tabular", json!({"layers": layers}).to_string())?;
    let mut random = Random(6);
    let mut row = || [random.next(), 0.2 * random.next(), 2e4 + 1.8e5 * random.next(), 18.0 + 72.0 * random.next()];
    let mut batch = |count: usize| -> Outcome<ArrayD<f64>> {
        let rows: Vec<f64> = (0..count).flat_map(|_| row()).collect();
        Ok(ArrayD::from_shape_vec(IxDyn(&[count, 4]), rows)?)
    };
    let (calibration, inputs) = (batch(CALIBRATION)?, batch(MEASURED)?);
    Ok(Network { name: "tabular, unlike units".to_string(), model, calibration, inputs, labels: None })
}
