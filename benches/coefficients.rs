//! What the cost model is fitted to: `cargo bench coefficients` prints the coefficients of `src/plan/cost.rs`, as the proofs
//! of the reference CNN have them on this machine.

#[path = "shared/asked.rs"]
mod asked;

use asked::is_asked_for;
use std::collections::BTreeMap;
use std::error::Error;
use zknn::artifact::Options;
use zknn::gadget::Gadget;
use zknn::nn::reference::reference_cnn;
use zknn::plan::security::{QUOTIENT_DEGREE, RATE_BITS};
use zknn::plan::total;
use zknn::{DEFAULT_INPUT_RANGE, Timings, compile, lower_exact};

/// The jemalloc of the command.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    if !is_asked_for("coefficients") {
        return Ok(());
    }
    let (model, input) = reference_cnn();
    let range = model.input_range().unwrap_or(DEFAULT_INPUT_RANGE);
    let circuit = compile(lower_exact(&model, range, &mut |_, _| {})?, Options::default())?;
    // The least of several times is the one that least else went into.
    let mut steps: BTreeMap<String, f64> = BTreeMap::new();
    for _ in 0..RUNS {
        let mut timings = Timings::default();
        circuit.prove_timed(&input, &mut timings)?;
        let mut run: BTreeMap<String, f64> = BTreeMap::new();
        for (name, duration) in timings.steps {
            *run.entry(name).or_default() += duration.as_secs_f64() * 1e9;
        }
        for (name, nanos) in run {
            steps.entry(name).and_modify(|least| *least = least.min(nanos)).or_insert(nanos);
        }
    }

    let layout = &circuit.plan().layout;
    let points = (layout.rows() << RATE_BITS) as f64;
    let took = |is_one: &dyn Fn(&str) -> bool| {
        steps.iter().filter(|(name, _)| is_one(name)).map(|(_, nanos)| nanos).sum::<f64>() / points
    };
    let committed = layout.wires + layout.challenges * (layout.routed.div_ceil(QUOTIENT_DEGREE) + QUOTIENT_DEGREE);
    let shapes: Vec<_> = layout.kinds.iter().map(|kind| total(&kind.parts)).collect();
    let digits = shapes.iter().map(|shape| shape.digits).max().unwrap_or(0);
    let preprocessed = layout.constants + layout.routed;

    let column = took(&|name| name.starts_with("commitment to")) / committed as f64;
    let routed = took(&|name| name.trim() == "permutation argument") / (layout.routed * layout.challenges) as f64;
    let constant = took(&|name| ["combined weights", "openings", "combination"].contains(&name)) / preprocessed as f64;
    let digit = took(&|name| name == "  Digits") / digits as f64;
    // The normalization has constraints of every degree, and neither products nor many digits of its own to tell apart.
    let normalization = shapes
        .iter()
        .zip(&layout.kinds)
        .find(|(_, kind)| kind.parts.iter().any(|part| matches!(*part.gadget, Gadget::NormRound(_))));
    let (normalization, _) = normalization.ok_or("the reference CNN normalizes")?;
    let constraint = took(&|name| name.starts_with("  NormSquare")) / normalization.constraints as f64;
    let fused = layout.kinds.iter().flat_map(|kind| &kind.parts).find_map(|part| match &*part.gadget {
        Gadget::Conv(conv) if part.gadget.shape().digits > 0 => Some((conv.products(), part.gadget.shape())),
        _ => None,
    });
    let (products, shape) = fused.ok_or("the first convolution takes up its pooling")?;
    let product = (took(&|name| name == "  Conv+DenseTile") - shape.constraints as f64 * constraint) / products as f64;
    let fixed = took(&|name| {
        name.starts_with("  Poseidon") || ["evaluation and witness", "interpolation", "low-degree test"].contains(&name)
    });

    println!("coefficients: nanoseconds for each of {points} points, least of {RUNS} proofs of the reference CNN");
    for (name, value) in [
        ("COLUMN_NS", column),
        ("ROUTED_NS", routed),
        ("CONSTANT_NS", constant),
        ("CONSTRAINT_NS", constraint),
        ("DIGIT_NS", digit),
        ("PRODUCT_NS", product),
        ("FIXED_NS", fixed),
    ] {
        println!("  {name:<14} {value:>8.2}");
    }
    Ok(())
}
