//! Commitments, contexts and openings, seen from outside: recomputed by other means, shared by two proofs, and changed.

use super::*;
use crate::artifact::{
    ArtifactProblem, Disclosure, FileKind, Omitted, Opening, OpeningError, OutputDisclosure, ProofFile, Statement,
    TensorInfo, context_digest, from_bytes, seal, to_bytes,
};
use crate::circuit::{Timings, VerifyError};
use crate::gadget::field::F;
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{OutputVisibility, Visibility};
use ndarray::{ArrayD, IxDyn};
use plonky2::field::types::{Field, PrimeField64};
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use zknn_ir::eval::eval_fixed;
use zknn_verifier::{RejectError, verify, verify_in_context};

/// Twenty elements of ten values make two words, the second not full; the outputs are wide.
const FIRST: &str = "
%0 = input : [5, 4, 1] fixed(scale 1, -5..=4)
%1 = flatten %0
%2 = dense %1 weights=fixed[3, 20] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9, 1, 1, 1, -2, 3, -4, 5, -6, 7, -8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 1, 1]
%3 = requantize %2 multipliers=[77, 99, 201] shift=8 clamp=-1000..=1000 scale 0.3
output %3
";

/// Another model of the same sort of input.
const OTHER: &str = "
%0 = input : [5, 4, 1] fixed(scale 1, -5..=4)
%1 = flatten %0
%2 = argmax %1 axis=0
output %2
";

/// A model that takes the outputs of the first.
const SECOND: &str = "
%0 = input : [3] fixed(scale 0.3, LO..=HI)
%1 = dense %0 weights=fixed[2, 3] scale 1 [1, -2, 3, 4, 5, -6]
output %1
";

fn graph(text: &str) -> Graph {
    zknn_ir::parse(text).expect("a graph")
}

fn options(visibility: Visibility, output_visibility: OutputVisibility) -> Options {
    Options {
        visibility: visibility.into(),
        output_visibility: output_visibility.into(),
        omitted: Omitted::Nothing.into(),
        uncalibrated: false,
        unsaturated: false,
        scheme: Scheme { zero_knowledge: false, hash: HashKind::Blake3, ..Scheme::default() },
    }
}

fn circuit(text: &str) -> Circuit {
    compile(graph(text), options(Visibility::Committed, OutputVisibility::Committed)).expect("a circuit")
}

fn integers() -> ArrayD<i64> {
    ArrayD::from_shape_vec(IxDyn(&[5, 4, 1]), (0..20).map(|i| (i * 7 + 3) % 10 - 5).collect()).expect("a tensor")
}

fn opening() -> Opening {
    let tensor = TensorInfo { shape: vec![5, 4, 1], scale: 1.0, lo: -5, hi: 4 };
    Opening::new(tensor, integers().into_iter().collect()).expect("an opening")
}

fn proved(circuit: &Circuit, input: Input<'_>, context: Option<&str>) -> (Proved, Statement) {
    let request = Request { inputs: &[input], context, deny_saturation: false };
    let proved = circuit.prove_request(request, &mut Timings::default()).expect("a proof");
    let statement = verify_in_context(circuit.key(), context, &proved.proof).expect("it holds");
    (proved, statement)
}

fn commitments(statement: &Statement) -> ([u8; 32], [u8; 32]) {
    match (&statement.input().disclosure, &statement.output().disclosure) {
        (Disclosure::Committed(input), OutputDisclosure::Committed(output)) => (*input, *output),
        other => panic!("not committed: {other:?}"),
    }
}

/// The commitment as the documentation has it, in integers of any size.
fn documented(tensor: &TensorInfo, salt: [F; 4], integers: &[i64]) -> [u8; 32] {
    let signed =
        |x: i64| if x < 0 { -F::from_canonical_u64(x.unsigned_abs()) } else { F::from_canonical_u64(x as u64) };
    let tag = b"zknncmt".iter().rev().fold(0u64, |word, &byte| word * 256 + u64::from(byte));
    let bits = tensor.scale.to_bits();
    let mut message = vec![F::from_canonical_u64(tag), F::from_canonical_u64(5), signed(tensor.lo), signed(tensor.hi)];
    message.extend([bits % (1 << 32), bits / (1 << 32), tensor.shape.len() as u64].map(F::from_canonical_u64));
    message.extend(tensor.shape.iter().map(|&axis| F::from_canonical_usize(axis)));
    message.extend(salt);
    let size = i128::from(tensor.hi) - i128::from(tensor.lo) + 1;
    let mut elements = integers.iter().copied().peekable();
    while elements.peek().is_some() {
        let (mut word, mut weight) = (0i128, 1i128);
        while weight * size <= 1 << 63 {
            let Some(element) = elements.next() else { break };
            word += (i128::from(element) - i128::from(tensor.lo)) * weight;
            weight *= size;
        }
        message.push(F::from_canonical_u64(word as u64));
    }
    let digest = PoseidonHash::hash_no_pad(&message).elements;
    let bytes: Vec<u8> = digest.iter().flat_map(|element| element.to_canonical_u64().to_le_bytes()).collect();
    bytes.try_into().expect("32 bytes")
}

#[test]
fn a_commitment_is_the_documented_digest() {
    let circuit = circuit(FIRST);
    let (proved, statement) = proved(&circuit, Input::Tensor(&integers().mapv(|x| x as f64)), None);
    let expected = eval_fixed(&graph(FIRST), &integers()).expect("in range");
    let (input, output) = commitments(&statement);
    let committed = |opening: &Option<Opening>| opening.clone().expect("it is committed to");
    let (of_input, of_output) = (&committed(&proved.inputs[0]), &committed(&proved.outputs[0]));
    assert_eq!((of_input.integers(), &of_output.integers()), (integers(), expected.output()));
    for (opening, commitment, shape) in [(of_input, input, vec![5, 4, 1]), (of_output, output, vec![3])] {
        assert_eq!(opening.tensor().shape, shape);
        let flat: Vec<i64> = opening.integers().into_iter().collect();
        assert_eq!(documented(opening.tensor(), opening.salt(), &flat), commitment);
        assert_eq!(opening.commitment(), commitment);
    }
    assert_ne!(of_input.salt(), of_output.salt());
    assert_eq!(of_output.tensor().scale, 0.3);
}

/// Elements, their order, salt, range, scale and shape: with any of them changed it is another digest.
#[test]
fn a_commitment_binds_all_there_is() {
    let honest = opening();
    let flat: Vec<i64> = honest.integers().into_iter().collect();
    let (tensor, salt) = (honest.tensor().clone(), honest.salt());
    let mut digests = vec![honest.commitment()];
    let mut with = |tensor: &TensorInfo, salt, integers: Vec<i64>| {
        let opening = Opening::with_salt(tensor.clone(), salt, integers).expect("an opening");
        let flat: Vec<i64> = opening.integers().into_iter().collect();
        assert_eq!(opening.commitment(), documented(tensor, salt, &flat));
        digests.push(opening.commitment());
    };
    for i in 0..flat.len() {
        let mut changed = flat.clone();
        changed[i] = if changed[i] == 4 { -5 } else { changed[i] + 1 };
        with(&tensor, salt, changed);
    }
    for i in 0..salt.len() {
        let mut changed = salt;
        changed[i] += F::ONE;
        with(&tensor, changed, flat.clone());
    }
    for tensor in [
        TensorInfo { lo: -6, ..tensor.clone() },
        TensorInfo { hi: 5, ..tensor.clone() },
        TensorInfo { scale: 0.5, ..tensor.clone() },
        TensorInfo { scale: 1.0 + f64::EPSILON, ..tensor.clone() },
        TensorInfo { shape: vec![4, 5, 1], ..tensor.clone() },
        TensorInfo { shape: vec![20], ..tensor.clone() },
        TensorInfo { shape: vec![5, 4], ..tensor.clone() },
    ] {
        with(&tensor, salt, flat.clone());
    }
    with(&TensorInfo { shape: vec![21], ..tensor.clone() }, salt, [flat.clone(), vec![-5]].concat());
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn two_models_prove_on_one_commitment() {
    let opening = opening();
    let other = Options { output_visibility: OutputVisibility::Public.into(), ..circuit(FIRST).file().options.clone() };
    for circuit in [circuit(FIRST), compile(graph(OTHER), other).expect("a circuit")] {
        let (_, statement) = proved(&circuit, Input::Opening(&opening), None);
        assert_eq!(statement.input().disclosure, Disclosure::Committed(opening.commitment()));
    }
}

#[test]
fn a_committed_output_is_the_input_of_the_next_model() {
    let first = circuit(FIRST);
    let (of_first, statement) = proved(&first, Input::Opening(&opening()), None);
    let (_, between) = commitments(&statement);
    let TensorInfo { lo, hi, .. } = first.key().description.outputs[0];
    let text = SECOND.replace("LO", &lo.to_string()).replace("HI", &hi.to_string());
    let second = circuit(&text);
    let handed_over = of_first.outputs[0].clone().expect("it is committed to");
    let (of_second, statement) = proved(&second, Input::Opening(&handed_over), None);
    assert_eq!(commitments(&statement).0, between);
    // The two programs, one after the other.
    let middle = eval_fixed(&graph(FIRST), &integers()).expect("in range");
    let last = eval_fixed(&graph(&text), middle.output()).expect("in range");
    let of_last = of_second.outputs[0].as_ref().expect("it is committed to");
    assert_eq!(&of_last.integers(), last.output());

    // With a range that is one wider, the digest would be another; the opening is refused.
    let wider = circuit(&SECOND.replace("LO", &(lo - 1).to_string()).replace("HI", &hi.to_string()));
    let request = Request { inputs: &[Input::Opening(&handed_over)], context: None, deny_saturation: false };
    let error = wider.prove_request(request, &mut Timings::default()).expect_err("another range");
    assert!(matches!(error, ProofError::OtherTensor { .. }), "{error}");
}

#[test]
fn a_circuit_that_commits_to_no_input_takes_no_opening() {
    for visibility in [Visibility::Public, Visibility::Private] {
        let circuit = compile(graph(OTHER), options(visibility, OutputVisibility::Public)).expect("a circuit");
        let request = Request { inputs: &[Input::Opening(&opening())], context: None, deny_saturation: false };
        let error = circuit.prove_request(request, &mut Timings::default()).expect_err("not committed");
        assert!(matches!(error, ProofError::NotCommitted), "{error}");
    }
}

/// An output that is committed to with other elements than the circuit computes, or another salt than the opening has: the
/// digest is then not what the proof states.
#[test]
fn a_public_input_of_another_commitment_is_rejected() {
    let circuit = circuit(FIRST);
    let (honest, statement) = proved(&circuit, Input::Opening(&opening()), None);
    let (input, output) = commitments(&statement);
    for (commitment, position) in [(output, 0), (input, 1)] {
        let start = honest.proof.proof.len() - 64 + 32 * position;
        assert_eq!(honest.proof.proof[start..start + 32], commitment);
        let mut changed = honest.proof.clone();
        changed.proof[start] ^= 1;
        assert!(matches!(verify(circuit.key(), &changed), Err(RejectError::Proof(_))));
    }
}

#[test]
fn a_proof_holds_in_its_context_only() {
    let circuit = compile(graph(OTHER), Options::default()).expect("a circuit");
    let opening = opening();
    let contexts = [None, Some(""), Some("challenge 17"), Some("challenge 18")];
    for made_in in [None, Some("challenge 17")] {
        let (Proved { proof, .. }, statement) = proved(&circuit, Input::Opening(&opening), made_in);
        assert_eq!(statement.context.as_deref(), made_in);
        for context in contexts.into_iter().filter(|&context| context != made_in) {
            assert_eq!(verify_in_context(circuit.key(), context, &proof), Err(RejectError::OtherContext));
            // Nor does it help to write another context on it.
            let relabelled = ProofFile { context: context_digest(context), ..proof.clone() };
            let error = verify_in_context(circuit.key(), context, &relabelled).expect_err("another transcript");
            assert!(matches!(error, RejectError::Proof(VerifyError::Rejected(_))), "{error}");
        }
    }
}

/// The digest of the envelope is no secret: whoever changes an opening makes it anew.
#[test]
fn openings_that_make_no_sense_are_refused() {
    let honest = opening();
    let bytes = to_bytes(FileKind::Opening, &honest);
    assert_eq!(from_bytes::<Opening>(FileKind::Opening, &bytes).expect("as written"), honest);
    assert!(!format!("{honest:?}").contains("salt"));
    let tensor = honest.tensor().clone();
    let parts = (tensor.clone(), [1u64, 2, 3, 4], vec![0i64; 20]);
    type Parts = (TensorInfo, [u64; 4], Vec<i64>);
    type Edit = fn(&mut Parts);
    let edits: [(Edit, &str); 8] = [
        (|parts| parts.2[7] = 5, "element 7"),
        (|parts| parts.2[0] = i64::MIN, "element 0"),
        (|parts| parts.2.push(0), "21 elements"),
        (|parts| parts.0.shape = vec![usize::MAX, 2], "no tensor"),
        (|parts| parts.0.scale = f64::NAN, "no tensor"),
        (|parts| parts.0.scale = -1.0, "no tensor"),
        (|parts| (parts.0.lo, parts.0.hi) = (i64::MIN, i64::MAX), "no tensor"),
        (|parts| parts.1[2] = 0xFFFF_FFFF_0000_0001, "canonical"),
    ];
    let read = |parts: &Parts| {
        let body = bincode::serde::encode_to_vec(parts, bincode::config::standard()).expect("a body");
        from_bytes::<Opening>(FileKind::Opening, &seal(FileKind::Opening, &body))
    };
    read(&parts).expect("as an opening has it");
    for (edit, reason) in edits {
        let mut changed = parts.clone();
        edit(&mut changed);
        match read(&changed) {
            Err(ArtifactProblem::Invalid(problem)) => assert!(problem.contains(reason), "{problem}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
    assert_eq!(Opening::new(tensor, vec![0; 19]), Err(OpeningError::Count { expected: 20, got: 19 }));
}

/// What is too wide for the field to pack has no commitment.
#[test]
fn an_output_too_wide_is_not_compiled() {
    let text = "
%0 = input : [1] fixed(scale 1, -2305843009213693952..=2305843009213693951)
%1 = dense %0 weights=fixed[1, 1] scale 1 [2]
output %1
";
    let with = |output| compile(graph(text), options(Visibility::Private, output));
    assert!(with(OutputVisibility::Public).is_ok());
    let error = with(OutputVisibility::Committed).err().expect("no circuit");
    assert!(matches!(error, CompileError::Plan(PlanError::TooWide { .. })), "{error}");
}
