//! Any body as a circuit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zknn::Circuit;
use zknn::artifact::{CircuitFile, FileKind, from_bytes, seal};

fuzz_target!(|body: &[u8]| {
    if let Ok(file) = from_bytes::<CircuitFile>(FileKind::Circuit, &seal(FileKind::Circuit, body)) {
        let _ = Circuit::load(file);
    }
});
