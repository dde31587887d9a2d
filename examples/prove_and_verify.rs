//! Compiles a model with fractional weights, proves its output on an input of 32-bit floating-point numbers, and verifies the
//! proof from nothing but the bytes of the key and the proof.
//!
//! ```sh
//! cargo run --release --example prove_and_verify
//! ```

use ndarray::{arr1, arr2};
use zknn::artifact::{Disclosure, FileKind, Options, ProofFile, Statement, VerifyingKey, from_bytes, hex, to_bytes};
use zknn::front::Model;
use zknn::{Lowering, compile, lower, verify};

/// Two fully connected layers with a ReLU between them.
const MODEL: &str = r#"{
    "layers": [
        {"layer_type": "fully_connected", "input_shape": [2],
         "weights": {"v": 1, "dim": [3, 2], "data": [0.5, -0.25, 0.75, 1.0, -0.5, 0.125]},
         "biases": {"v": 1, "dim": [3], "data": [0.1, 0.0, -0.2]}},
        {"layer_type": "relu", "input_shape": [3]},
        {"layer_type": "fully_connected", "input_shape": [3],
         "weights": {"v": 1, "dim": [2, 3], "data": [1.0, -0.5, 0.25, -0.75, 0.5, 1.0]}}
    ]
}"#;

/// What the model gives on 0.5, -1.25 in real numbers. The hidden layer is 0.6625, 0 and 0 behind the ReLU.
const EXPECTED: [f64; 2] = [0.6625, -0.496875];

fn main() -> zknn::Result<()> {
    let (key, proof) = prove()?;
    println!("the key has {} bytes, the proof {}", key.len(), proof.len());

    let statement = check(&key, &proof)?;
    // Unless options say otherwise, outputs are public, and inputs are committed to.
    if let Some(output) = statement.output().reals() {
        println!("the output is {output:.4}, and {EXPECTED:.4?} in real numbers");
    }
    if let Disclosure::Committed(commitment) = &statement.input().disclosure {
        println!("the input is committed to as {}", hex(commitment));
    }
    println!("all of this holds under the key {}", hex(&statement.key));
    Ok(())
}

/// What the prover does: files for the verifier, as bytes.
fn prove() -> zknn::Result<(Vec<u8>, Vec<u8>)> {
    let model = Model::parse("model", MODEL.to_string())?;
    // Weights that are no integers are rounded to fixed point, by default of ten bits. Inputs like those that will be proved
    // show how large and how fine numbers get.
    let calibration = vec![arr2(&[[1.75, -2.0], [-2.0, 1.5]]).into_dyn()];
    let graph = lower(&model, &Lowering { calibration, ..Lowering::default() }, &mut |_, _| {})?;
    let circuit = compile(graph, Options::default())?;

    let proof = circuit.prove(&arr1(&[0.5_f32, -1.25]))?;
    Ok((to_bytes(FileKind::Key, circuit.key()), to_bytes(FileKind::Proof, &proof)))
}

/// What the verifier does, who has a key that it trusts and a proof from anybody.
fn check(key: &[u8], proof: &[u8]) -> zknn::Result<Statement> {
    let key: VerifyingKey = from_bytes(FileKind::Key, key)?;
    let proof: ProofFile = from_bytes(FileKind::Proof, proof)?;
    Ok(verify(&key, &proof)?)
}

#[test]
fn the_proof_states_what_the_model_computes() {
    let (key, proof) = prove().expect("the input is in range");
    let output = check(&key, &proof).expect("the proof holds").output().reals().expect("a public output");
    let error = output.iter().zip(EXPECTED).map(|(got, expected)| (got - expected).abs()).fold(0.0, f64::max);
    assert!(error < 0.01, "{output}");
}

#[test]
fn a_changed_proof_is_refused() {
    let (key, proof) = prove().expect("the input is in range");
    let mut proof: ProofFile = from_bytes(FileKind::Proof, &proof).expect("our own bytes");
    let middle = proof.proof.len() / 2;
    proof.proof[middle] ^= 1;
    assert!(check(&key, &to_bytes(FileKind::Proof, &proof)).is_err());
}
