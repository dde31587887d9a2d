//! How secure proofs of the models are that `cargo bench targets` measures, and of a circuit with 2^20 rows.

#[path = "../benches/shared/models.rs"]
mod models;
#[path = "../benches/shared/random.rs"]
mod random;

use std::fmt::Write;
use zknn::front::Model;
use zknn::nn::reference::reference_cnn;
use zknn::plan::security::{Level, RoundSecurity, Scheme, Security, Soundness};
use zknn::plan::{Plan, Visibility};
use zknn::{Lowering, lower};

/// What the soundness of each circuit depends on, by the level it is compiled for.
fn circuits() -> Vec<(String, Level, Soundness)> {
    let parse = |text: String| Model::parse("model", text).expect("a model");
    let others = models::models().into_iter().map(|(name, model, _)| (name, parse(model.to_string())));
    let all: Vec<(&str, Model)> = std::iter::once(("reference CNN", reference_cnn().0)).chain(others).collect();
    let mut circuits = Vec::new();
    for (name, model) in &all {
        let graph = lower(model, &Lowering::default(), &mut |_, _| {}).expect("a graph of integers");
        for level in [Level::Conjectured, Level::Proven] {
            let scheme = Scheme { level, ..Scheme::default() };
            let plan = Plan::new(&graph, Visibility::Committed, scheme).expect("a plan");
            circuits.push(((*name).to_owned(), level, plan.layout.soundness()));
        }
    }
    circuits
}

/// The smallest MLP's circuit, if it had 2^20 rows.
fn tall(circuits: &[(String, Level, Soundness)]) -> Soundness {
    let (_, _, of_mlp) = circuits.iter().find(|(name, ..)| name.starts_with("MLP 256")).expect("it is listed");
    let challenges = Soundness::challenge_sets(20, of_mlp.routed, of_mlp.constraints);
    Soundness { degree_bits: 20, challenges, folding: Scheme::default().folding(20), ..of_mlp.clone() }
}

fn table(circuits: &[(String, Level, Soundness)]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, security: Security| {
        let Security { conjectured, proven_johnson, proven_unique_decoding } = security.in_tenths();
        writeln!(text, "  {name:<24}{conjectured:>12.1}{proven_johnson:>10.1}{proven_unique_decoding:>17.1}")
            .expect("text");
    };
    for (name, level, soundness) in circuits {
        let title =
            format!("{name}, {level:?}: 2^{} rows, {} polynomials", soundness.degree_bits, soundness.polynomials);
        line(&title, soundness.security());
        for RoundSecurity { round, security } in soundness.rounds() {
            line(&round.to_string(), security);
        }
    }
    text
}

#[test]
fn every_model_is_as_secure_as_its_level_says() {
    let mut circuits = circuits();
    for (name, level, soundness) in &circuits {
        let Security { conjectured, proven_johnson, proven_unique_decoding } = soundness.security();
        assert_eq!(soundness.shortfall(*level), None, "{name}");
        assert!(conjectured >= 100.0, "{name}: {conjectured}");
        assert!(conjectured >= proven_johnson && conjectured >= proven_unique_decoding, "{name}");
        match level {
            Level::Conjectured => assert!((39.0..42.0).contains(&proven_unique_decoding), "{name}"),
            Level::Proven => assert!(proven_unique_decoding >= 100.0, "{name}: {proven_unique_decoding}"),
        }
    }
    let tall = tall(&circuits);
    assert!(tall.security().conjectured >= 100.0 && tall.shortfall(Level::Proven).is_some());
    circuits.push(("2^20 rows, refused at the proven level".into(), Level::Proven, tall));
    insta::assert_snapshot!(table(&circuits));
}
