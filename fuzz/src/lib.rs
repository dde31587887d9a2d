//! What the fuzz targets share: the fixtures, and an envelope around a body that the fuzzer chose.

use zknn::artifact::{FileKind, ProofFile, VERSION, VerifyingKey, from_bytes};

/// A whole file of `kind` around `body`, its digest right, so that the fuzzer gets past it.
pub fn seal(kind: FileKind, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"ZKNN".to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend([kind as u8, 0]);
    bytes.extend((body.len() as u64).to_le_bytes());
    let digest = blake3::Hasher::new().update(&bytes).update(body).finalize();
    [bytes.as_slice(), digest.as_bytes(), body].concat()
}

/// The key of the fixtures.
pub fn key() -> VerifyingKey {
    let bytes = include_bytes!("../../testdata/fixtures/v1/mlp/model.vk");
    from_bytes(FileKind::Key, bytes).expect("the fixture is whole")
}

/// The proof of the fixtures.
pub fn proof() -> ProofFile {
    let bytes = include_bytes!("../../testdata/fixtures/v1/mlp/proof.zkp");
    from_bytes(FileKind::Proof, bytes).expect("the fixture is whole")
}
