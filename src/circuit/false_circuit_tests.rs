//! Circuit files that are honest in all but what they commit to.

use super::hash::{Blake3Config, PoseidonConfig, TreeHasher};
use super::*;
use crate::artifact::{CircuitFile, FileKind, Options, ProofFile, VerifyingKey, context_digest, from_bytes, to_bytes};
use crate::gadget::field::{D, F, from_signed};
use crate::plan::security::{HashKind, Scheme};
use crate::plan::{Kind, Plan};
use crate::{Audit, Circuit, LoadError, compile, verify};
use plonky2::plonk::config::GenericConfig;

const MODEL: &str = "
%0 = input : [3] fixed(scale 1, -5..=4)
%1 = dense %0 weights=fixed[2, 3] scale 1 [1, -2, 3, 4, 5, -6] bias=fixed[2] scale 1 [7, -8]
%2 = relu %1
output %2
";

const INPUT: [i64; 3] = [1, 2, 3];
/// The truth is `[13, 0]`.
const LIE: [i64; 2] = [31337, -1];

/// A circuit in which no gate is active, with all else as the honest one has it; and a proof of a lie.
fn forge<C: GenericConfig<D, F = F, Hasher: TreeHasher>>(
    options: Options,
    wrap: impl Fn(Prover<C>) -> AnyProver,
) -> (CircuitFile, ProofFile) {
    let graph = zknn_ir::parse(MODEL).expect("a graph");
    let plan = Plan::new(&graph, options.claims(), options.scheme).expect("a plan");
    let honest = compile(graph.clone(), options.clone()).expect("a circuit");

    let prover = wrap(Prover::without_gates(&plan));
    let key = VerifyingKey { cap: prover.cap(), ..honest.key().clone() };
    let witness = lie(&plan);
    let proof = prover.prove(&witness, &key.binding(None), &mut Timings::default()).expect("a proof");
    let proof = ProofFile { key: key.digest(), context: context_digest(None), proof };
    (CircuitFile { options, graph, choices: plan.choices, key, leaves: prover.leaves() }, proof)
}

/// The relu gives what we like, and all that depends on it follows.
fn lie(plan: &Plan) -> Witness {
    let is_relu = |block: usize| matches!(&plan.program.blocks[block].demand.kind, Kind::Gadget(gadget) if gadget.name() == "Max");
    let relu = plan.layout.placements.iter().find(|placement| is_relu(placement.block)).expect("a relu");
    let lies = LIE.map(from_signed);
    Witness::forged(plan, &INPUT, Secrets::fresh(), &|row, place, cells| {
        if let Some(i) = (0..lies.len()).find(|&i| plan.layout.locate(relu, i) == (row, place)) {
            cells[place.routed + 1] = lies[i];
        }
    })
}

fn check((file, proof): (CircuitFile, ProofFile)) {
    // The key says what the honest one says, and a lie holds under it.
    let statement = verify(&file.key, &proof).expect("whoever trusts the key believes it");
    assert_eq!(statement.output().integers().expect("a public output").iter().copied().collect::<Vec<_>>(), LIE);
    let honest = compile(file.graph.clone(), file.options.clone()).expect("a circuit");
    assert_eq!(file.key.binding(None), honest.key().binding(None));
    assert!(verify(honest.key(), &ProofFile { key: honest.key().digest(), ..proof }).is_err());
    assert!(Audit::new(&honest).is_ok());

    // As a file it is in order, and loading it to prove does not notice. An audit must.
    let bytes = to_bytes(FileKind::Circuit, &file);
    let circuit = Circuit::load(from_bytes(FileKind::Circuit, &bytes).expect("as written")).expect("it is loaded");
    assert!(matches!(circuit.check_commitment(), Err(LoadError::Commitment)));
    assert!(matches!(Audit::new(&circuit).err(), Some(LoadError::Commitment)));
}

#[test]
fn an_audit_refuses_a_circuit_whose_gates_are_off() {
    check(forge::<Blake3Config>(Options::default(), |prover| AnyProver::Blake3(Box::new(prover))));
    let scheme = Scheme { zero_knowledge: false, hash: HashKind::Poseidon, ..Scheme::default() };
    let options = Options { scheme, ..Options::default() };
    check(forge::<PoseidonConfig>(options, |prover| AnyProver::Poseidon(Box::new(prover))));
}
