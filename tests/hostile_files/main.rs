//! Files from an enemy: whatever the bytes, a reader answers with an error, and no changed proof or key is accepted.
//!
//! The same readers are open to `cargo fuzz`, in the folder `fuzz`.

mod commands;
mod fixtures;
mod mutate;

use mutate::{HEADER, mutated};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use zknn::artifact::{
    ArtifactProblem, CircuitFile, FileKind, Opening, Options, ProofFile, TensorInfo, VerifyingKey, from_bytes, to_bytes,
};
use zknn::front::{Model, parse_tensor};
use zknn::plan::Visibility;
use zknn::plan::security::{HashKind, Scheme};
use zknn::{Audit, Circuit, LoadError, RejectError, compile, verify};

const MODEL: &str = "
%0 = input : [3] fixed(scale 1, -5..=4)
%1 = dense %0 weights=fixed[2, 3] scale 1 [1, -2, 3, 4, 5, -6] bias=fixed[2] scale 1 [7, -8]
%2 = relu %1
output %2
";

struct Files {
    circuit: Vec<u8>,
    key: Vec<u8>,
    proof: Vec<u8>,
}

fn files(text: &str, hash: HashKind) -> Files {
    let graph = zknn_ir::parse(text).expect("a graph");
    let scheme = Scheme { zero_knowledge: false, hash, ..Scheme::default() };
    let options = Options { visibility: Visibility::Public.into(), scheme, ..Options::default() };
    let circuit = compile(graph, options).expect("a circuit");
    let input = ndarray::arr1(&[1.0, -5.0, 4.0]).into_dyn();
    let proof = circuit.prove(&input).expect("a proof");
    Files {
        circuit: to_bytes(FileKind::Circuit, circuit.file()),
        key: to_bytes(FileKind::Key, circuit.key()),
        proof: to_bytes(FileKind::Proof, &proof),
    }
}

fn honest() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| files(MODEL, HashKind::Blake3))
}

/// Calls `judge` with `count` mutations of a file.
fn attack(kind: FileKind, file: &[u8], count: usize, seed: u64, judge: impl FnMut(&[u8])) {
    mutate::attack(kind, file, [&honest().circuit, &honest().key, &honest().proof], (count, seed), judge);
}

#[test]
fn changed_proofs() {
    let key: VerifyingKey = from_bytes(FileKind::Key, &honest().key).expect("as written");
    let mut reached = 0;
    attack(FileKind::Proof, &honest().proof, 5000, 1, |bytes| {
        if let Ok(proof) = from_bytes::<ProofFile>(FileKind::Proof, bytes) {
            assert!(verify(&key, &proof).is_err());
            reached += 1;
        }
    });
    assert!(reached > 1000, "{reached} proofs reached the verifier");
}

#[test]
fn changed_keys() {
    let proof: ProofFile = from_bytes(FileKind::Proof, &honest().proof).expect("as written");
    let mut reached = 0;
    attack(FileKind::Key, &honest().key, 5000, 2, |bytes| {
        if let Ok(key) = from_bytes::<VerifyingKey>(FileKind::Key, bytes) {
            // The proof is made to name the key, so that nothing but the proof system stands between them.
            let renamed = ProofFile { key: key.digest(), ..proof.clone() };
            assert!(verify(&key, &renamed).is_err());
            reached += 1;
        }
    });
    assert!(reached > 1000, "{reached} keys reached the verifier");
}

#[test]
fn changed_circuits() {
    let mut reached = 0;
    attack(FileKind::Circuit, &honest().circuit, 3000, 3, |bytes| {
        if let Ok(file) = from_bytes::<CircuitFile>(FileKind::Circuit, bytes) {
            assert!(Circuit::load(file).is_err());
            reached += 1;
        }
    });
    assert!(reached > 300, "{reached} circuits reached the compiler");
}

/// An opening that is read is of a tensor that there is, and of no commitment but its own.
#[test]
fn changed_openings() {
    let tensor = TensorInfo { shape: vec![2, 3], scale: 0.5, lo: -5, hi: 4 };
    let honest = Opening::new(tensor, vec![1, -5, 4, 0, 0, -1]).expect("an opening");
    let commitment = honest.commitment();
    let mut reached = 0;
    attack(FileKind::Opening, &to_bytes(FileKind::Opening, &honest), 5000, 6, |bytes| {
        if let Ok(opening) = from_bytes::<Opening>(FileKind::Opening, bytes) {
            assert_ne!(opening.commitment(), commitment);
            assert_eq!(opening.integers().shape(), opening.tensor().shape);
            reached += 1;
        }
    });
    assert!(reached > 100, "{reached} openings were read");
}

/// Changes without a new digest, and of the envelope itself.
#[test]
fn changed_envelopes() {
    let mut random = ChaCha20Rng::seed_from_u64(4);
    for (kind, file) in
        [(FileKind::Circuit, &honest().circuit), (FileKind::Key, &honest().key), (FileKind::Proof, &honest().proof)]
    {
        let places: Vec<usize> = (0..200).map(|_| random.gen_range(HEADER..file.len())).collect();
        for at in (0..HEADER).chain(places) {
            let mut changed = file.clone();
            changed[at] ^= 1 << random.gen_range(0..8);
            assert!(read_any(kind, &changed).is_err(), "byte {at}");
        }
        for length in [0u64, 1, u64::MAX, 1 << 32, 1 << 40, file.len() as u64] {
            let mut changed = file.clone();
            changed[8..16].copy_from_slice(&length.to_le_bytes());
            assert!(read_any(kind, &changed).is_err(), "length {length}");
        }
        for other in [FileKind::Circuit, FileKind::Key, FileKind::Proof, FileKind::Opening] {
            assert_eq!(read_any(other, file).is_ok(), other == kind);
        }
    }
}

fn read_any(kind: FileKind, bytes: &[u8]) -> Result<(), ArtifactProblem> {
    match kind {
        FileKind::Circuit => from_bytes::<CircuitFile>(kind, bytes).map(drop),
        FileKind::Key => from_bytes::<VerifyingKey>(kind, bytes).map(drop),
        FileKind::Proof => from_bytes::<ProofFile>(kind, bytes).map(drop),
        FileKind::Opening => from_bytes::<Opening>(kind, bytes).map(drop),
    }
}

/// Circuit, key and proof of models that differ in one weight, and of one model under two hashes.
#[test]
fn files_of_different_models_do_not_mix() {
    for other in [files(&MODEL.replace("[1, -2", "[2, -2"), HashKind::Blake3), files(MODEL, HashKind::Poseidon)] {
        let key: VerifyingKey = from_bytes(FileKind::Key, &other.key).expect("as written");
        let proof: ProofFile = from_bytes(FileKind::Proof, &honest().proof).expect("as written");
        assert_eq!(verify(&key, &proof), Err(RejectError::OtherKey));
        assert!(verify(&key, &ProofFile { key: key.digest(), ..proof }).is_err());
        let mut file: CircuitFile = from_bytes(FileKind::Circuit, &honest().circuit).expect("as written");
        file.key = key;
        assert!(Circuit::load(file).is_err());
    }
}

/// A circuit file with one leaf of its commitment changed, and a key that belongs to what it then commits to.
fn wrong_leaf(circuit: &[u8]) -> CircuitFile {
    const CAP: usize = 16;
    let mut file: CircuitFile = from_bytes(FileKind::Circuit, circuit).expect("as written");
    file.leaves[7 * blake3::OUT_LEN] ^= 1;
    // Each digest is the hash of the two below it, up to the cap.
    let mut digests = file.leaves.clone();
    while digests.len() > CAP * blake3::OUT_LEN {
        digests = digests.chunks(2 * blake3::OUT_LEN).flat_map(|pair| *blake3::hash(pair).as_bytes()).collect();
    }
    file.key.cap = digests;
    file
}

/// Nothing about the file's form is wrong: only who computes the commitment anew finds out.
#[test]
fn wrong_leaves_do_not_pass_an_audit() {
    let honest: CircuitFile = from_bytes(FileKind::Circuit, &honest().circuit).expect("as written");
    let file = wrong_leaf(&to_bytes(FileKind::Circuit, &honest));
    assert_ne!(file.key.cap, honest.key.cap);
    let circuit = Circuit::load(file).expect("it belongs together");
    assert!(matches!(Audit::new(&circuit).err(), Some(LoadError::Commitment)));
    assert!(Audit::new(&Circuit::load(honest).expect("as written")).is_ok());

    // With the honest cap it does not even belong together.
    let mut file: CircuitFile = from_bytes(FileKind::Circuit, &crate::honest().circuit).expect("as written");
    file.leaves[0] ^= 1;
    assert!(matches!(Circuit::load(file).err(), Some(LoadError::Differs)));
}

/// A field element has two forms of 64 bits if it is small: itself, and itself plus the order. The second is refused
/// wherever it stands: in public inputs, in the proof of work, in the commitment of a key.
#[test]
fn elements_that_are_not_canonical() {
    const ORDER: u64 = 0xFFFF_FFFF_0000_0001;
    for hash in [HashKind::Blake3, HashKind::Poseidon] {
        let honest = files(MODEL, hash);
        let key: VerifyingKey = from_bytes(FileKind::Key, &honest.key).expect("as written");
        let proof: ProofFile = from_bytes(FileKind::Proof, &honest.proof).expect("as written");
        let mut tried = 0;
        for at in 0..=proof.proof.len() - 8 {
            let word = u64::from_le_bytes(std::array::from_fn(|i| proof.proof[at + i]));
            if let Some(other) = word.checked_add(ORDER) {
                let mut changed = proof.clone();
                changed.proof[at..at + 8].copy_from_slice(&other.to_le_bytes());
                assert!(verify(&key, &changed).is_err(), "{word} at {at}");
                tried += 1;
            }
        }
        // Two outputs, a word of input, and the proof of work.
        assert!(tried >= 4, "{tried}");

        // And words that are no element in any form, wherever they come to lie.
        for at in (0..=proof.proof.len() - 8).step_by(61).chain(proof.proof.len() - 40..=proof.proof.len() - 8) {
            let mut changed = proof.clone();
            changed.proof[at..at + 8].fill(0xFF);
            assert!(verify(&key, &changed).is_err(), "at {at}");
        }
    }

    let other = files(MODEL, HashKind::Poseidon);
    let mut key: VerifyingKey = from_bytes(FileKind::Key, &other.key).expect("as written");
    let proof: ProofFile = from_bytes(FileKind::Proof, &other.proof).expect("as written");
    key.cap[..8].copy_from_slice(&(ORDER + 1).to_le_bytes());
    let error = verify(&key, &ProofFile { key: key.digest(), ..proof }).expect_err("not canonical");
    assert!(error.to_string().contains("commitment is invalid"), "{error}");
}

/// Models and inputs are files too.
#[test]
fn changed_texts() {
    let mut random = ChaCha20Rng::seed_from_u64(5);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/models");
    for name in ["tiny_mlp.json", "tiny_mlp_input.json", "tiny_cnn.json"] {
        let text = fs::read(folder.join(name)).expect("test data");
        for _ in 0..1000 {
            let changed = String::from_utf8_lossy(&mutated(&text, &text, &mut random)).into_owned();
            if let Ok(model) = Model::parse(name, changed.clone()) {
                let _ = zknn::lower_exact(&model, (-5, 4), &mut |_, _| {});
            }
            let _ = parse_tensor(name, changed);
        }
    }
}
