//! The models that are measured, apart from the reference CNN.

use super::random::{Random, tensor};
use serde_json::{Value, json};

/// Their names, their JSON and the shapes of their inputs.
pub fn models() -> [(&'static str, Value, Vec<usize>); 4] {
    [
        ("CNN 28x28", cnn(), vec![28, 28, 1]),
        ("MLP 256-256-256-10", mlp(&[256, 256, 256, 10]), vec![256]),
        ("MLP of 4 M weights", mlp(&[4, 1024, 1024, 1024, 1024, 1024, 3]), vec![4]),
        ("matvec 1000x1000", mlp(&[1000, 1000]), vec![1000]),
    ]
}

/// Convolution, pooling and relu twice, then 256-64-10.
fn cnn() -> Value {
    let mut random = Random(1);
    let mut layers = Vec::new();
    for (size, inputs, outputs) in [(28, 1, 8), (12, 8, 16)] {
        let (filtered, pooled) = (size - 4, (size - 4) / 2);
        let kernel = tensor(&[outputs, 5, 5, inputs], || random.next() / 5.0);
        layers.extend([
            json!({"layer_type": "convolution", "input_shape": [size, size, inputs], "kernel": kernel}),
            json!({"layer_type": "max_pool", "input_shape": [filtered, filtered, outputs], "window": 2}),
            json!({"layer_type": "relu", "input_shape": [pooled, pooled, outputs]}),
        ]);
    }
    layers.push(json!({"layer_type": "flatten", "input_shape": [4, 4, 16]}));
    layers.extend(dense_layers(&[256, 64, 10], &mut random));
    json!({"input_range": [0, 127], "layers": layers})
}

/// Dense layers of these widths, with relu between them.
fn mlp(widths: &[usize]) -> Value {
    json!({"input_range": [0, 127], "layers": dense_layers(widths, &mut Random(2))})
}

fn dense_layers(widths: &[usize], random: &mut Random) -> Vec<Value> {
    let mut layers = Vec::new();
    for (i, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        if i > 0 {
            layers.push(json!({"layer_type": "relu", "input_shape": [inputs]}));
        }
        let bound = (inputs as f64).sqrt().recip();
        let weights = tensor(&[outputs, inputs], || (random.next() - 0.5) * bound);
        layers.push(json!({"layer_type": "fully_connected", "input_shape": [inputs], "weights": weights}));
    }
    layers
}
