//! Any body as a key, for the proof of the fixtures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zknn::artifact::{FileKind, ProofFile, VerifyingKey, from_bytes, seal};

fuzz_target!(|body: &[u8]| {
    if let Ok(key) = from_bytes::<VerifyingKey>(FileKind::Key, &seal(FileKind::Key, body)) {
        let proof = ProofFile { key: key.digest(), ..zknn_fuzz::proof() };
        assert!(zknn::verify(&key, &proof).is_err() || key.digest() == zknn_fuzz::key().digest());
    }
});
