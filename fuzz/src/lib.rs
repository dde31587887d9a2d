//! What the fuzz targets share: the fixtures.

use zknn::artifact::{FileKind, ProofFile, VerifyingKey, from_bytes};

/// The key of the fixtures.
pub fn key() -> VerifyingKey {
    let bytes = include_bytes!("../../testdata/fixtures/v2/mlp/model.vk");
    from_bytes(FileKind::Key, bytes).expect("the fixture is whole")
}

/// The proof of the fixtures.
pub fn proof() -> ProofFile {
    let bytes = include_bytes!("../../testdata/fixtures/v2/mlp/proof.zkp");
    from_bytes(FileKind::Proof, bytes).expect("the fixture is whole")
}
