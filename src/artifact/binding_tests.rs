//! Every part of a key's statement and of its gates is in what its proofs depend on.

use super::*;
use crate::circuit::Binding;
use crate::plan::security::{HashKind, Level, Scheme};
use crate::plan::{OutputVisibility, Part, Visibility};
use std::collections::HashSet;

const MODEL: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=4)
%1 = conv2d %0 kernel=fixed[2, 2, 2, 1] scale 1 [1, -2, 3, -4, 5, 6, -7, 8]
%2 = relu %1
%3 = flatten %2
%4 = dense %3 weights=fixed[1, 18] scale 1 [1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9]
output %4
";

fn key(model: &str) -> VerifyingKey {
    let graph = zknn_ir::parse(model).expect("a graph");
    crate::compile(graph, Options::default()).expect("a circuit").key().clone()
}

/// What a change of one thing makes of the key.
fn changed(key: &VerifyingKey, change: impl FnOnce(&mut VerifyingKey)) -> VerifyingKey {
    let mut key = key.clone();
    change(&mut key);
    key
}

/// The key with each part of its description changed in turn.
fn other_descriptions(key: &VerifyingKey) -> Vec<VerifyingKey> {
    let scheme = |key: &VerifyingKey| key.description.options.scheme;
    let mut keys = vec![
        changed(key, |key| key.description.model[31] ^= 1),
        changed(key, |key| key.description.options.visibility = Visibility::Private.into()),
        changed(key, |key| {
            key.description.options.scheme = Scheme { zero_knowledge: false, ..scheme(key) };
        }),
        changed(key, |key| {
            key.description.options.scheme = Scheme { hash: HashKind::Poseidon, ..scheme(key) };
        }),
        changed(key, |key| {
            key.description.options.scheme = Scheme { level: Level::Proven, ..scheme(key) };
        }),
        changed(key, |key| key.description.options.output_visibility = OutputVisibility::Committed.into()),
        changed(key, |key| key.description.inputs.push(key.description.outputs[0].clone())),
        changed(key, |key| key.description.outputs.insert(0, key.description.inputs[0].clone())),
    ];
    let tensors: [fn(&mut Description) -> &mut TensorInfo; 2] =
        [|description| &mut description.inputs[0], |description| &mut description.outputs[0]];
    for tensor in tensors {
        keys.extend([
            changed(key, |key| tensor(&mut key.description).shape.push(1)),
            changed(key, |key| tensor(&mut key.description).scale *= 2.0),
            changed(key, |key| tensor(&mut key.description).lo -= 1),
            changed(key, |key| tensor(&mut key.description).hi += 1),
        ]);
    }
    keys
}

/// The key with each part of its shape changed in turn, its gates among them.
fn other_shapes(key: &VerifyingKey) -> Vec<VerifyingKey> {
    let first = |key: &mut VerifyingKey, change: fn(&mut Part)| change(&mut key.shape.gates[0][0]);
    vec![
        changed(key, |key| key.shape.degree_bits += 1),
        changed(key, |key| key.shape.wires += 1),
        changed(key, |key| key.shape.routed += 1),
        changed(key, |key| key.shape.challenges += 1),
        changed(key, |key| key.shape.scheme.zero_knowledge = false),
        changed(key, |key| key.shape.public_inputs += 1),
        changed(key, |key| first(key, |part| part.place.routed += 1)),
        changed(key, |key| first(key, |part| part.place.advice += 1)),
        changed(key, |key| first(key, |part| part.place.digits += 1)),
        changed(key, |key| first(key, |part| part.place.constant += 1)),
        changed(key, |key| key.shape.gates.reverse()),
        changed(key, |key| drop(key.shape.gates[0].pop())),
    ]
}

#[test]
fn proofs_depend_on_the_statement_and_on_the_gates() {
    let honest = key(MODEL);
    let mut keys = other_descriptions(&honest);
    keys.extend(other_shapes(&honest));
    // The same in all but one weight, which is inside a gate.
    let other = key(&MODEL.replace("[1, -2, 3", "[2, -2, 3"));
    keys.push(changed(&honest, |key| key.shape.gates = other.shape.gates.clone()));
    keys.push(honest);
    let bindings: HashSet<Binding> = keys.iter().map(|key| key.binding(None)).collect();
    assert_eq!(bindings.len(), keys.len(), "two keys have one binding");
    let digests: HashSet<[u8; 32]> = keys.iter().map(VerifyingKey::digest).collect();
    assert_eq!(digests.len(), keys.len(), "two keys have one digest");
}
