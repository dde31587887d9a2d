//! Any bytes as a whole file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zknn::artifact::{CircuitFile, FileKind, ProofFile, VerifyingKey, from_bytes};

fuzz_target!(|bytes: &[u8]| {
    let _ = from_bytes::<CircuitFile>(FileKind::Circuit, bytes);
    let _ = from_bytes::<VerifyingKey>(FileKind::Key, bytes);
    let _ = from_bytes::<ProofFile>(FileKind::Proof, bytes);
});
