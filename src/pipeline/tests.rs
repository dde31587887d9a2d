//! The whole way, and the ways in which it must fail.

use super::*;
use crate::artifact::{self, Disclosure, FileKind, ProofFile};
use crate::circuit::VerifyError;
use crate::circuit::{Secrets, Timings, Witness};
use crate::plan::security::{HashKind, Level, Scheme};
use crate::plan::{OutputVisibility, Visibility};
use ndarray::{ArrayD, IxDyn};
use std::sync::OnceLock;
use zknn_ir::eval::eval_fixed;
use zknn_verifier::{RejectError, verify};

const MODEL: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=4)
%1 = conv2d %0 kernel=fixed[2, 2, 2, 1] scale 1 [1, -2, 3, -4, 5, 6, -7, 8]
%2 = relu %1
%3 = flatten %2
%4 = dense %3 weights=fixed[1, 18] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9] bias=fixed[1] scale 1 [100000]
output %4
";

fn graph(text: &str) -> Graph {
    zknn_ir::parse(text).expect("a graph")
}

fn options() -> Options {
    Options {
        scheme: Scheme { zero_knowledge: false, hash: HashKind::Blake3, ..Scheme::default() },
        ..Options::default()
    }
}

/// One circuit for all tests that need no other.
fn circuit() -> &'static Circuit {
    static CIRCUIT: OnceLock<Circuit> = OnceLock::new();
    CIRCUIT.get_or_init(|| compile(graph(MODEL), options()).expect("a circuit"))
}

fn input(first: i64) -> ArrayD<f64> {
    integers(first).mapv(|x| x as f64)
}

fn integers(first: i64) -> ArrayD<i64> {
    let data = (0..16).map(|i| if i == 0 { first } else { i % 10 - 5 }).collect();
    ArrayD::from_shape_vec(IxDyn(&[4, 4, 1]), data).expect("a tensor")
}

fn proof() -> &'static ProofFile {
    static PROOF: OnceLock<ProofFile> = OnceLock::new();
    PROOF.get_or_init(|| circuit().prove(&input(4)).expect("a proof"))
}

#[test]
fn the_statement_is_what_the_interpreter_computes() {
    let statement = verify(circuit().key(), proof()).expect("the proof holds");
    let expected = eval_fixed(&graph(MODEL), &integers(4)).expect("in range");
    assert_eq!(statement.output().integers(), Some(expected.output()));
    assert_eq!(statement.model, graph(MODEL).digest());
    assert!(matches!(statement.input().disclosure, Disclosure::Committed(_)));
    assert_eq!(statement.security, circuit().key().shape.soundness().security());
    assert!(statement.security.conjectured >= 100.0);
}

/// Proofs at the proven level hold, and are more secure; no key passes one level off as the other.
#[test]
fn proofs_at_the_proven_level() {
    for zero_knowledge in [true, false] {
        let scheme = Scheme { zero_knowledge, level: Level::Proven, ..Scheme::default() };
        let circuit = compile(graph(MODEL), Options { scheme, ..Options::default() }).expect("a circuit");
        let proof = circuit.prove(&input(4)).expect("a proof");
        let security = verify(circuit.key(), &proof).expect("it holds").security;
        assert!(security.proven_unique_decoding >= 100.0 && security.conjectured >= 100.0, "{security}");
        let mut key = circuit.key().clone();
        key.shape.scheme.level = Level::Conjectured;
        key.description.options.scheme.level = Level::Conjectured;
        assert!(verify(&key, &ProofFile { key: key.digest(), ..proof }).is_err());
    }
    let mut key = circuit().key().clone();
    key.shape.scheme.level = Level::Proven;
    key.description.options.scheme.level = Level::Proven;
    assert!(verify(&key, &ProofFile { key: key.digest(), ..proof().clone() }).is_err());
}

/// Numbers that are rounded and clamped, and a class.
const CLASS: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=4)
%1 = conv2d %0 kernel=fixed[3, 3, 3, 1] scale 1 [1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, -9, 1, 1, 1, 1]
%2 = max_pool %1 window=[2, 2]
%3 = requantize %2 multipliers=[77, 99, 201] shift=8 clamp=-8..=7 scale 1
%4 = flatten %3
%5 = argmax %4 axis=0
output %5
";

/// What the circuit proves is what the interpreter computes, in fixed point too.
#[test]
fn a_class_is_proved_in_fixed_point() {
    let circuit = compile(graph(CLASS), options()).expect("a circuit");
    let scores = CLASS.replace("output %5", "output %4").replace("%5 = argmax %4 axis=0\n", "");
    let scoring = compile(graph(&scores), options()).expect("a circuit");
    for first in [-5, 4] {
        let expected = eval_fixed(&graph(CLASS), &integers(first)).expect("in range");
        let statement = verify(circuit.key(), &circuit.prove(&input(first)).expect("a proof")).expect("it holds");
        assert_eq!(statement.output().integers(), Some(expected.output()));
        let expected = eval_fixed(&graph(&scores), &integers(first)).expect("in range");
        let statement = verify(scoring.key(), &scoring.prove(&input(first)).expect("a proof")).expect("it holds");
        assert_eq!(statement.output().integers(), Some(expected.output()));
    }
}

#[test]
fn commitments_are_salted() {
    let again = circuit().prove(&input(4)).expect("a proof");
    let statements = [proof(), &again].map(|proof| verify(circuit().key(), proof).expect("it holds"));
    assert_ne!(statements[0].input().disclosure, statements[1].input().disclosure);
    assert_eq!(statements[0].output(), statements[1].output());
}

#[test]
fn a_public_input_is_printed_as_it_was() {
    let options = Options { visibility: Visibility::Public.into(), ..options() };
    let circuit = compile(graph(MODEL), options).expect("a circuit");
    let statement = verify(circuit.key(), &circuit.prove(&input(-5)).expect("a proof")).expect("it holds");
    assert_eq!(statement.input().disclosure, Disclosure::Public(integers(-5)));
}

#[test]
fn a_private_input_is_said_to_be_unbound() {
    let scheme = Scheme { zero_knowledge: true, hash: HashKind::Poseidon, ..Scheme::default() };
    let options = Options { visibility: Visibility::Private.into(), scheme, ..options() };
    let circuit = compile(graph(MODEL), options).expect("a circuit");
    let statement = verify(circuit.key(), &circuit.prove(&input(1)).expect("a proof")).expect("it holds");
    assert!(statement.to_string().contains("Nothing binds X"));
    assert!(statement.zero_knowledge);
}

#[test]
fn files_round_trip() {
    let bytes = artifact::to_bytes(FileKind::Circuit, circuit().file());
    let file = artifact::from_bytes(FileKind::Circuit, &bytes).expect("as written");
    let loaded = Circuit::load(file).expect("as compiled");
    let proof = loaded.prove(&input(3)).expect("a proof");
    assert!(verify(circuit().key(), &proof).is_ok());
}

#[test]
fn a_circuit_file_with_another_key_is_refused() {
    let bytes = artifact::to_bytes(FileKind::Circuit, circuit().file());
    let mut file: CircuitFile = artifact::from_bytes(FileKind::Circuit, &bytes).expect("as written");
    file.key.cap[0] ^= 1;
    assert!(matches!(Circuit::load(file), Err(LoadError::Differs)));
}

#[test]
fn one_weight_makes_another_key() {
    // A weight inside a gate, then one that is a row constant: neither key accepts the proof, even if it is named.
    for (old, new) in [("[1, -2, 3", "[1, -2, 4"), ("[1, 2, 3, 4, 5", "[1, 2, 3, 4, 6")] {
        let other = compile(graph(&MODEL.replace(old, new)), options()).expect("a circuit");
        assert_eq!(verify(other.key(), proof()), Err(RejectError::OtherKey));
        let renamed = ProofFile { key: other.key().digest(), ..proof().clone() };
        assert!(matches!(verify(other.key(), &renamed), Err(RejectError::Proof(VerifyError::Rejected(_)))));
    }
}

#[test]
fn an_edited_description_is_rejected() {
    let edits: [fn(&mut VerifyingKey); 7] = [
        |key| key.description.model[3] ^= 1,
        |key| key.description.outputs[0].scale = 2.0,
        |key| key.description.inputs[0].lo = -6,
        |key| key.description.inputs[0].shape = vec![16],
        |key| key.description.options.visibility = Visibility::Private.into(),
        |key| key.description.options.output_visibility = OutputVisibility::Committed.into(),
        |key| key.description.outputs[0].hi += 1,
    ];
    for edit in edits {
        let mut key = circuit().key().clone();
        edit(&mut key);
        let renamed = ProofFile { key: key.digest(), ..proof().clone() };
        assert!(verify(&key, &renamed).is_err());
    }
}

#[test]
fn any_changed_byte_of_the_proof_is_rejected() {
    let honest = &proof().proof;
    let mut rejected = 0;
    // All of the public inputs at the end, and places all over the rest.
    let ends = (honest.len() - 48..honest.len()).chain(0..64);
    for i in ends.chain((0..honest.len()).step_by(1009)) {
        let mut changed = proof().clone();
        changed.proof[i] ^= 1 << (i % 8);
        assert!(verify(circuit().key(), &changed).is_err(), "byte {i}");
        rejected += 1;
    }
    assert!(rejected > 100);
}

#[test]
fn truncated_and_extended_proofs_are_rejected() {
    let honest = &proof().proof;
    for len in [0, 1, honest.len() / 2, honest.len() - 8, honest.len() - 1] {
        let cut = ProofFile { proof: honest[..len].to_vec(), ..proof().clone() };
        assert!(matches!(verify(circuit().key(), &cut), Err(RejectError::Proof(VerifyError::Malformed(_)))));
    }
    let longer = ProofFile { proof: [honest.as_slice(), &[0; 8]].concat(), ..proof().clone() };
    assert!(matches!(verify(circuit().key(), &longer), Err(RejectError::Proof(VerifyError::Malformed(_)))));
}

#[test]
fn other_numbers_for_the_same_element_are_rejected() {
    // p + x stands for x but is not canonical: the output, whose small value leaves room for it.
    let mut changed = proof().clone();
    let public = changed.proof.len() - 8 * (1 + crate::plan::DIGEST);
    let word: [u8; 8] = changed.proof[public..public + 8].try_into().expect("eight bytes");
    let value = u64::from_le_bytes(word);
    let alias = value.checked_add(0xFFFF_FFFF_0000_0001).expect("a small value");
    changed.proof[public..public + 8].copy_from_slice(&alias.to_le_bytes());
    assert!(matches!(verify(circuit().key(), &changed), Err(RejectError::Proof(VerifyError::Malformed(_)))));
}

#[test]
fn an_input_out_of_range_is_refused() {
    for outside in [-6, 5, 1 << 40] {
        let error = circuit().prove(&input(outside)).expect_err("out of range");
        assert!(matches!(error, ProofError::Input(_)));
        assert!(!error.to_string().contains(&(1i64 << 40).to_string()), "the input is private");
    }
}

#[test]
fn a_forced_witness_with_an_input_out_of_range_does_not_verify() {
    for outside in [-6, 5] {
        let flat: Vec<i64> = integers(outside).iter().copied().collect();
        let witness = Witness::new(circuit().plan(), &flat, Secrets::fresh());
        // plonky2's prover gives up where the quotient is no polynomial; if it ever does not, the verifier must refuse.
        if let Ok(forged) = circuit().prover.prove(&witness, &circuit().key().binding(None), &mut Timings::default()) {
            let forged = ProofFile { proof: forged, ..proof().clone() };
            assert!(verify(circuit().key(), &forged).is_err());
        }
    }
}

#[test]
fn an_output_with_a_dead_user_is_not_fused_away() {
    let text = "
%0 = input : [2, 2, 1] fixed(scale 1, -5..=4)
%1 = conv2d %0 kernel=fixed[1, 1, 1, 1] scale 1 [3]
%2 = relu %1
output %1
";
    let circuit = compile(graph(text), options()).expect("a circuit");
    let x = ArrayD::from_shape_vec(IxDyn(&[2, 2, 1]), vec![-5.0, 4.0, 0.0, 1.0]).expect("a tensor");
    let statement = verify(circuit.key(), &circuit.prove(&x).expect("a proof")).expect("it holds");
    assert_eq!(statement.output().integers(), Some(&x.mapv(|x| 3 * x as i64)));
}

#[test]
fn the_output_may_be_the_input() {
    let text = "
%0 = input : [3] fixed(scale 1, 0..=9)
output %0
";
    let circuit = compile(graph(text), options()).expect("a circuit");
    let x = ArrayD::from_shape_vec(IxDyn(&[3]), vec![9.0, 0.0, 4.0]).expect("a tensor");
    let statement = verify(circuit.key(), &circuit.prove(&x).expect("a proof")).expect("it holds");
    assert_eq!(statement.output().integers(), Some(&x.mapv(|x| x as i64)));
}

#[test]
fn what_the_verifier_would_refuse_is_not_compiled() {
    // A filter of more taps than a gadget may have, in however many parts.
    const SIDE: usize = 600;
    let mut graph = graph(&format!("%0 = input : [{SIDE}, {SIDE}, 1] fixed(scale 1, 0..=1)\noutput %0\n"));
    let data = ndarray::ArcArray::from_elem(IxDyn(&[1, SIDE, SIDE, 1]), 1);
    let kernel = zknn_ir::Weights::Fixed { data, scale: 1.0 };
    let conv = zknn_ir::op::Conv2d { kernel, ..zknn_ir::op::Conv2d::default() };
    let output = graph.add(zknn_ir::Op::Conv2d(conv), &[graph.input()], None).expect("it fits");
    graph.set_output(output);
    let error = compile(graph, options()).err().expect("no circuit");
    assert!(matches!(error, CompileError::Plan(PlanError::TooLarge { .. } | PlanError::Impossible { .. })), "{error}");
}

#[test]
fn a_longer_form_of_the_same_contents_is_refused() {
    let bytes = artifact::to_bytes(FileKind::Proof, proof());
    let length = proof().proof.len() as u64;
    // After the header and the digests of key and context, the length as a mark and a few bytes; the same number takes eight, too.
    let at = 48 + 32 + 32;
    let short = bincode::encode_to_vec(length, bincode::config::standard()).expect("a number");
    assert_eq!(bytes[at..at + short.len()], short);
    let mut longer = [&bytes[..at], &[0xFD], &length.to_le_bytes(), &bytes[at + short.len()..]].concat();
    let body = (longer.len() - 48) as u64;
    longer[8..16].copy_from_slice(&body.to_le_bytes());
    let digest = blake3::Hasher::new().update(&longer[..16]).update(&longer[48..]).finalize();
    longer[16..48].copy_from_slice(digest.as_bytes());
    let error = artifact::from_bytes::<ProofFile>(FileKind::Proof, &longer).expect_err("not canonical");
    assert!(error.to_string().contains("canonical"), "{error}");
}

#[test]
fn a_key_of_absurd_shape_is_an_error() {
    let edits: [fn(&mut VerifyingKey); 6] = [
        |key| key.shape.degree_bits = 63,
        |key| key.shape.wires = usize::MAX,
        |key| key.shape.routed = 0,
        |key| key.shape.challenges = 1,
        |key| key.description.outputs[0].shape = vec![1; 100_000],
        |key| key.description.outputs[0].scale = f64::NAN,
    ];
    for edit in edits {
        let mut key = circuit().key().clone();
        edit(&mut key);
        let renamed = ProofFile { key: key.digest(), ..proof().clone() };
        assert!(matches!(verify(&key, &renamed), Err(RejectError::InvalidKey { .. })));
    }
    let mut key = circuit().key().clone();
    key.cap.pop();
    let renamed = ProofFile { key: key.digest(), ..proof().clone() };
    assert!(verify(&key, &renamed).is_err());
}

#[test]
fn the_soundness_report() {
    let scheme = |zero_knowledge, hash| Scheme { zero_knowledge, hash, ..Scheme::default() };
    let with = |visibility: Visibility, scheme| Options { visibility: visibility.into(), scheme, ..options() };
    for (name, text, options) in [
        ("audit", MODEL, with(Visibility::Committed, scheme(true, HashKind::Blake3))),
        ("audit_without_zero_knowledge", MODEL, options()),
        ("audit_of_fixed_point", CLASS, with(Visibility::Public, scheme(true, HashKind::Poseidon))),
    ] {
        let circuit = compile(graph(text), options).expect("a circuit");
        insta::assert_snapshot!(name, crate::Audit::new(&circuit).expect("its own commitment").to_string());
    }
}

/// A witness that breaks a constraint is told by layer, element and wire, and without its values.
#[test]
fn a_witness_that_does_not_fit_is_told_by_its_place() {
    let flat: Vec<i64> = integers(5).iter().copied().collect();
    let fault = circuit().fault(&flat).expect("5 is out of range");
    insta::assert_snapshot!(fault.to_string());
    assert!(circuit().fault(integers(4).as_slice().expect("in order")).is_none());
}

/// What the program does not name is refused before it is compiled.
#[test]
fn a_circuit_file_with_another_program_is_refused() {
    let bytes = artifact::to_bytes(FileKind::Circuit, circuit().file());
    let mut file: CircuitFile = artifact::from_bytes(FileKind::Circuit, &bytes).expect("as written");
    file.graph = graph(&MODEL.replace("[1, -2, 3", "[1, -2, 4"));
    assert!(matches!(Circuit::load(file), Err(LoadError::Differs)));
}
