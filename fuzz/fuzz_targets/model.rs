//! Any text as a model and as an input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zknn::front::{Model, parse_tensor};

fuzz_target!(|text: String| {
    if let Ok(model) = Model::parse("model.json", text.clone()) {
        let _ = zknn::lower_exact(&model, zknn::DEFAULT_INPUT_RANGE, &mut |_, _| {});
    }
    let _ = parse_tensor("input.json", text);
});
