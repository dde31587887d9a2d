//! Whole circuits, proved and verified.

use super::hash::{Blake3Config, PoseidonConfig, TreeHasher};
use super::*;
use crate::gadget::DIGIT_RADIX;
use crate::gadget::field::{D, F, from_signed};
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{Plan, Visibility, total};
use ndarray::{ArcArray, ArrayD, IxDyn};
use plonky2::field::types::Field;
use plonky2::plonk::config::GenericConfig;
use plonky2::plonk::proof::ProofWithPublicInputs;
use zknn_ir::eval::eval_fixed;
use zknn_ir::{Graph, Number, Op, Weights, op};

fn weights(shape: &[usize]) -> Weights {
    let len: usize = shape.iter().product();
    let data: Vec<i64> = (0..len as i64).map(|i| (i * 7919 + 13) % 21 - 10).collect();
    Weights::Fixed { data: ArcArray::from_shape_vec(IxDyn(shape), data).expect("as long as its shape"), scale: 1.0 }
}

/// A chain of operations on an input of `shape`.
fn chain(shape: &[usize], ops: Vec<Op>) -> Graph {
    let mut graph = Graph::new();
    let number = Number::Fixed { scale: 1.0, lo: -5, hi: 4 };
    let mut last =
        graph.add(Op::Input(op::Input { shape: shape.to_vec(), number, rounds: false }), &[], None).expect("an input");
    for op in ops {
        last = graph.add(op, &[last], None).expect("the operations chain");
    }
    graph.set_output(last);
    graph
}

fn small_cnn() -> Graph {
    chain(
        &[8, 8, 1],
        vec![
            Op::Conv2d(op::Conv2d { kernel: weights(&[3, 3, 3, 1]), bias: None, ..op::Conv2d::default() }),
            Op::MaxPool(op::MaxPool::tiles([2, 2], true)),
            Op::Conv2d(op::Conv2d {
                kernel: weights(&[2, 2, 2, 3]),
                bias: Some(weights(&[2])),
                ..op::Conv2d::default()
            }),
            Op::Relu,
            Op::Flatten,
            Op::Dense(op::Dense { weights: weights(&[6, 8]), bias: Some(weights(&[6])) }),
            Op::Relu,
            Op::Dense(op::Dense { weights: weights(&[4, 6]), bias: None }),
            Op::Normalize(op::Normalize { fraction_bits: 24 }),
        ],
    )
}

fn input_for(graph: &Graph) -> ArrayD<i64> {
    let shape = &graph.node(graph.input()).fact.shape;
    let len: usize = shape.iter().product();
    let data = (0..len as i64).map(|i| (i * 31 + 7) % 10 - 5).collect();
    ArrayD::from_shape_vec(IxDyn(shape), data).expect("as long as its shape")
}

/// Columns that are extended coset by coset give the same commitment, and, where nothing is random, the same proof; and one that
/// holds where much is.
#[test]
fn a_streamed_proof_is_the_same() {
    let graph = small_cnn();
    let flat: Vec<i64> = input_for(&graph).iter().copied().collect();
    for zero_knowledge in [false, true] {
        let scheme = Scheme { zero_knowledge, ..Scheme::default() };
        for plan in Plan::with_every_candidate(&graph, Visibility::Committed, scheme) {
            let (kept, streamed) = (Prover::<Blake3Config>::new(&plan), Prover::<Blake3Config>::streaming(&plan));
            assert_eq!(kept.cap(), streamed.cap());
            assert!(kept.leaves() == streamed.leaves() && streamed.has_own_leaves());
            let witness = Witness::new(&plan, &flat, Secrets::fresh());
            let proofs = [&kept, &streamed].map(|prover| {
                prover.prove(&witness, &graph.digest(), &mut Timings::default()).expect("an honest proof")
            });
            assert_eq!(proofs[0] == proofs[1], !zero_knowledge);
            Key::<Blake3Config>::new(&shape_of(&plan), kept.cap(), &graph.digest())
                .verify(&proofs[1])
                .expect("it holds");
        }
    }
}

fn prove_and_verify<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(
    graph: &Graph,
    visibility: Visibility,
    hash: HashKind,
    zero_knowledge: bool,
) {
    let plan =
        Plan::new(graph, visibility, Scheme { zero_knowledge, hash, ..Scheme::default() }).expect("it has a plan");
    let prover = Prover::<C>::new(&plan);
    let binding = graph.digest();
    let input = input_for(graph);
    let flat: Vec<i64> = input.iter().copied().collect();
    let witness = Witness::new(&plan, &flat, Secrets::fresh());
    let proof = prover.prove(&witness, &binding, &mut Timings::default()).expect("an honest proof");
    let shape = shape_of(&plan);
    let key = Key::<C>::new(&shape, prover.cap(), &binding);
    let public = key.verify(&proof).expect("the proof holds");
    let expected = eval_fixed(graph, &input).expect("the input is in range");
    let expected: Vec<F> = expected.output().iter().map(|&y| from_signed(y)).collect();
    assert_eq!(public[..expected.len()], expected);

    let (cap, stock) = stock_prover::prove::<C>(&plan, &binding, &witness);
    assert_eq!(cap, prover.cap());
    key.verify(&stock.to_bytes()).expect("plonky2's own proof holds");
    if !zero_knowledge {
        // Without salts, all is the same up to the nonce that grinding finds.
        let common = shape::common_data(&shape, &shape::Gates::new(&shape));
        let ours = ProofWithPublicInputs::<F, C, D>::from_bytes(proof.clone(), &common).expect("a proof").proof;
        assert_eq!(ours.wires_cap, stock.proof.wires_cap);
        assert_eq!(ours.plonk_zs_partial_products_cap, stock.proof.plonk_zs_partial_products_cap);
        assert_eq!(ours.quotient_polys_cap, stock.proof.quotient_polys_cap);
        assert_eq!(ours.openings, stock.proof.openings);
        let (ours, stock) = (ours.opening_proof, stock.proof.opening_proof);
        assert_eq!(ours.commit_phase_merkle_caps, stock.commit_phase_merkle_caps);
        assert_eq!(ours.final_poly, stock.final_poly);
    }

    let other = Key::<C>::new(&shape, prover.cap(), &[1; 32]);
    assert!(matches!(other.verify(&proof), Err(VerifyError::Rejected(_))));
}

#[test]
fn a_small_cnn_in_every_mode() {
    let graph = small_cnn();
    for visibility in [Visibility::Committed, Visibility::Public, Visibility::Private] {
        prove_and_verify::<Blake3Config>(&graph, visibility, HashKind::Blake3, false);
    }
    prove_and_verify::<Blake3Config>(&graph, Visibility::Committed, HashKind::Blake3, true);
    prove_and_verify::<PoseidonConfig>(&graph, Visibility::Committed, HashKind::Poseidon, true);
}

/// A digit too large by its radix, and the next one too small by one: the value is the same, and only the statement that the
/// wires hold digits is false, which the rows of several kinds share. In each kind of row that has digits, of every lowering.
#[test]
fn what_is_no_digit_does_not_verify() {
    let scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, ..Scheme::default() };
    let plans = Plan::with_every_candidate(&small_cnn(), Visibility::Private, scheme);
    let kinds: usize = plans.iter().map(forged_digits).sum();
    assert!(kinds > 3, "kinds of rows have digits");
}

/// In how many kinds of rows digits were forged; none of the proofs holds.
fn forged_digits(plan: &Plan) -> usize {
    let (prover, shape) = (Prover::<Blake3Config>::new(plan), shape_of(plan));
    let key = Key::<Blake3Config>::new(&shape, prover.cap(), &Binding::default());
    let flat: Vec<i64> = input_for(&small_cnn()).iter().copied().collect();
    let checker = Checker::new(plan);
    let is_of_digits = |violation: &Violation| {
        let Violation::Constraint { owner, constraint, .. } = violation else { return false };
        checker.sites().gadget(*owner).is_some_and(|gadget| *constraint >= gadget.shape().constraints)
    };
    let mut kinds = 0;
    for kind in plan.layout.kinds.iter().filter(|kind| total(&kind.parts).digits > 0) {
        let (row, digits) = (kind.rows.start, shape.digits_end() - total(&kind.parts).digits..shape.digits_end() - 1);
        let mut witness = Witness::new(plan, &flat, Secrets::fresh());
        let honest = witness.row(row).to_vec();
        let forged = digits.into_iter().map(|column| {
            let mut forged = honest.clone();
            forged[column] += F::from_canonical_u8(DIGIT_RADIX);
            forged[column + 1] -= F::ONE;
            forged
        });
        let is_hidden = |forged: &Vec<F>| checker.row(row, forged, &witness.public).iter().all(is_of_digits);
        // Where each number has one digit in the row, the gadget itself states what is left of the number.
        let Some(forged) = forged.into_iter().find(is_hidden) else { continue };
        witness.cells[row * witness.wires..][..witness.wires].copy_from_slice(&forged);
        if let Ok(proof) = prover.prove(&witness, &Binding::default(), &mut Timings::default()) {
            assert!(matches!(key.verify(&proof), Err(VerifyError::Rejected(_))), "in row {row}");
        }
        kinds += 1;
    }
    kinds
}
