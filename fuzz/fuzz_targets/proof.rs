//! Any body as a proof, under the key of the fixtures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zknn::artifact::{FileKind, ProofFile, from_bytes, seal};

fuzz_target!(|body: &[u8]| {
    if let Ok(proof) = from_bytes::<ProofFile>(FileKind::Proof, &seal(FileKind::Proof, body)) {
        let honest = zknn_fuzz::proof();
        assert!(zknn::verify(&zknn_fuzz::key(), &proof).is_err() || proof == honest);
    }
});
