//! Any bytes as an ONNX file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zknn::front::{Model, Reading};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::parse_onnx("net.onnx", bytes, &Reading::default()) {
        let _ = zknn::lower_exact(&model, zknn::DEFAULT_INPUT_RANGE, &mut |_, _| {});
    }
});
