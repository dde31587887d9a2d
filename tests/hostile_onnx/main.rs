//! ONNX files that may be anything: each is a model, or is refused with a code; none makes the reader panic, or take memory that its
//! size does not justify.

mod graphs;
#[path = "../../src/front/onnx/proto.rs"]
#[allow(dead_code, missing_docs, reason = "the messages of the library's own reader")]
mod proto;
mod trial;

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use trial::{Outcome, outcome};

/// Files that are drawn.
const GRAPHS: u64 = 6000;

/// Damaged copies of each stored file.
const DAMAGED: usize = 150;

#[test]
fn graphs_of_any_operators_are_models_or_refused() {
    let (folder, operators) = (tempfile::tempdir().expect("a folder"), graphs::operators());
    assert!(operators.len() > 100);
    let mut outcomes = BTreeMap::new();
    for seed in 0..GRAPHS {
        let bytes = graphs::file(&mut ChaCha20Rng::seed_from_u64(seed), &operators);
        let kind = match outcome(folder.path(), &bytes) {
            Outcome::Failed(why) => panic!("seed {seed}: {why}"),
            Outcome::Model => "model".to_string(),
            Outcome::Refused(code) => code,
        };
        *outcomes.entry(kind).or_insert(0) += 1;
    }
    // They reach what lies behind the checks.
    assert!(outcomes["model"] > 100 && outcomes["zknn::onnx::node"] > 1000, "{outcomes:?}");
}

#[test]
fn damaged_networks_are_models_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = ChaCha20Rng::seed_from_u64(1);
    for file in ["cnn", "residual", "mobile", "cnn_quantized"] {
        let path = format!("{}/testdata/onnx/{file}.onnx", env!("CARGO_MANIFEST_DIR"));
        let whole = std::fs::read(path).expect("a file");
        for _ in 0..DAMAGED {
            let mut bytes = whole.clone();
            for _ in 0..random.gen_range(1..4) {
                let at = random.gen_range(0..bytes.len());
                match random.gen_range(0..3) {
                    0 => bytes[at] ^= 1 << random.gen_range(0..8),
                    1 => bytes[at..].iter_mut().take(9).for_each(|byte| *byte = 0xFF),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            if let Outcome::Failed(why) = outcome(folder.path(), &bytes) {
                panic!("{file}: {why}");
            }
        }
    }
}
