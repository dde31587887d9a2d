//! One meaning, four ways to it: floating point, the integer interpreter, the witness and the public output of a proof,
//! on random models at both ends of their ranges, lowered exactly and to fixed point, with each pass on and off.
//!
//! The models of these tests are the same in each run. `random.rs` draws new ones, as many as there is time for.

mod error;
mod models;
mod trial;

use trial::{OPTIONAL, SCHEME, Trial};
use zknn::artifact::Options;
use zknn::plan::Visibility;
use zknn::{compile, input, verify};
use zknn_ir::eval::eval_fixed;

/// Trials of which each is the seed.
const TRIALS: u64 = 400;

#[test]
fn float_integers_and_witness_agree() {
    let [mut models, mut floats, mut rounding, mut classes] = [0; 4];
    for seed in 0..TRIALS {
        let compared = Trial::new(seed).compare().unwrap_or_else(|error| panic!("trial {seed}: {error}"));
        if let Some(compared) = compared {
            models += 1;
            floats += compared.with_float;
            rounding += usize::from(compared.rounding);
            classes += usize::from(compared.class);
        }
    }
    println!("{models} models, {floats} times with floating point; {rounding} round, {classes} choose");
    assert!(models > 200 && floats > 400 && rounding > 80 && classes > 20, "{models} {floats} {rounding} {classes}");
}

/// The same, to the end: what verifying a proof says is what the interpreter computes. Each seed is one model, with all
/// passes and without one of the optional ones.
#[test]
fn proofs_agree_with_the_interpreter() {
    let mut proved = 0;
    for seed in 0..10 {
        let trial = Trial::new(seed);
        let off = OPTIONAL[seed as usize % OPTIONAL.len()];
        for off in [&[][..], &[off]] {
            let Some(graph) = trial.lowered(off) else { continue };
            let Ok(circuit) = compile(graph.clone(), Options { visibility: Visibility::Public, scheme: SCHEME }) else {
                continue;
            };
            let input = &trial.inputs[2];
            let proof = circuit.prove(input).expect("a proof");
            let statement = verify(circuit.key(), &proof).expect("it holds");
            let integers = input::integers(&graph, input).expect("in range");
            assert_eq!(&statement.output.integers, eval_fixed(&graph, &integers).expect("in range").output());
            proved += 1;
        }
    }
    assert!(proved > 8, "{proved}");
}
