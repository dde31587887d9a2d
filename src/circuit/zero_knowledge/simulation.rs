//! Simulated transcripts beside real ones.

use super::attack::{Candidate, SECRET, Told, all_inputs};
use super::reader::{Opened, Reader};
use super::simulator::simulate;
use super::transcript::Transcript;
use super::{BLINDED, CLASSIFYING, NORMALIZING, TOY, plan, random_salt, secrets};
use crate::circuit::Witness;
use crate::gadget::field::{Ext, F};
use crate::plan::security::{QUOTIENT_DEGREE, Scheme};
use crate::plan::{Plan, Visibility};
use plonky2::field::types::{Field, PrimeField64};
use std::collections::{BTreeMap, HashMap, HashSet};

fn witness(plan: &Plan, seed: u64) -> Witness {
    let input: Vec<i64> = plan.program.inputs[0].elements.iter().map(|value| i64::from(value % 3)).collect();
    Witness::new(plan, &input, secrets(random_salt(seed), seed))
}

/// Real transcripts and simulated ones are accepted, and neither once an opening, the output or a chunk is changed.
#[test]
fn simulated_transcripts_are_accepted() {
    for (text, visibility) in
        [(TOY, Visibility::Committed), (NORMALIZING, Visibility::Public), (CLASSIFYING, Visibility::Private)]
    {
        let plan = plan(text, visibility, BLINDED);
        let reader = Reader::new(&plan);
        let witness = witness(&plan, 1);
        let transcripts = [Transcript::real(&plan, &witness), simulate(&plan, &witness.public, 1)];
        for mut transcript in transcripts {
            assert!(transcript.is_accepted(&reader));
            let places: [fn(&mut Transcript) -> &mut Ext; 5] = [
                |transcript| &mut transcript.openings.wires[3],
                |transcript| &mut transcript.openings.plonk_zs[0],
                |transcript| &mut transcript.openings.plonk_zs_next[0],
                |transcript| &mut transcript.openings.quotient_polys[QUOTIENT_DEGREE - 1],
                |transcript| &mut transcript.fri.final_poly.coeffs[0],
            ];
            for place in places {
                *place(&mut transcript) += Ext::ONE;
                assert!(!transcript.is_accepted(&reader));
                *place(&mut transcript) -= Ext::ONE;
            }
            transcript.public[0] += F::ONE;
            assert!(!transcript.is_accepted(&reader));
        }
    }
}

/// The attack finds as little in a transcript that no input was used for as in a real one: every input fits both.
#[test]
fn the_attack_finds_the_same_in_simulated_transcripts() {
    let plan = plan(TOY, Visibility::Private, BLINDED);
    let secret = Witness::new(&plan, SECRET, secrets(random_salt(1), 1));
    let candidates: Vec<Candidate> =
        all_inputs().iter().step_by(37).map(|input| Candidate::new(&plan, input)).collect();
    for transcript in [Transcript::real(&plan, &secret), simulate(&plan, &secret.public, 2)] {
        let (fits, left) = Told::new(&plan, transcript).fits(&candidates);
        assert!(left == 0 && fits.iter().all(|&fits| fits));
    }
}

/// What transcripts open, oracle by oracle: how often values fall into each sixteenth of the field, and how many values recur
/// at the same point of the same column of another transcript.
#[derive(Default)]
struct Sample {
    histograms: BTreeMap<&'static str, [f64; 16]>,
    seen: HashMap<(&'static str, usize, Ext), Vec<Ext>>,
    recurring: BTreeMap<&'static str, usize>,
}

impl Sample {
    fn of(reader: &Reader, transcripts: impl Iterator<Item = Transcript>) -> Self {
        let mut sample = Self::default();
        for transcript in transcripts {
            let mut opened = transcript.queries(reader);
            opened.push(reader.opened(&transcript.openings, transcript.challenges.zeta));
            let mut points = HashSet::new();
            // Two queries may be at one point.
            opened.retain(|opened| points.insert(opened.point));
            for Opened { point, wires, zs, partial_products, chunks, .. } in opened {
                let (last, chunks): (Vec<_>, Vec<_>) =
                    chunks.into_iter().enumerate().partition(|(i, _)| i % QUOTIENT_DEGREE == QUOTIENT_DEGREE - 1);
                sample.take("wires", point, wires.into_iter().enumerate());
                sample.take("partial products", point, partial_products.into_iter().enumerate());
                sample.take("chunks", point, chunks.into_iter());
                sample.take("last chunks", point, last.into_iter());
                sample.take("Z, opened", point, zs.into_iter().enumerate());
            }
            for (set, told) in transcript.told_of_z(reader).into_iter().enumerate() {
                told.into_iter().for_each(|(point, value)| sample.take("Z, told", point, [(set, value)].into_iter()));
            }
            let steps = transcript.fri.query_round_proofs.iter().flat_map(|round| &round.steps);
            let folded: HashSet<&Ext> = steps.flat_map(|step| &step.evals).collect();
            folded.into_iter().for_each(|&value| sample.count("combination", value));
        }
        sample
    }

    fn take(&mut self, oracle: &'static str, point: Ext, values: impl Iterator<Item = (usize, Ext)>) {
        for (column, value) in values {
            self.count(oracle, value);
            let before = self.seen.entry((oracle, column, point)).or_default();
            *self.recurring.entry(oracle).or_default() += usize::from(before.contains(&value));
            before.push(value);
        }
    }

    fn count(&mut self, oracle: &'static str, value: Ext) {
        // Values at points of the base field have no second part.
        for part in value.0.into_iter().filter(|part| !part.is_zero()) {
            self.histograms.entry(oracle).or_default()[(part.to_canonical_u64() >> 60) as usize] += 1.0;
        }
    }
}

/// Pearson's statistic for two samples; with fifteen degrees of freedom it exceeds 100 with a probability below 1e-13.
fn chi_square(a: &[f64; 16], b: &[f64; 16]) -> f64 {
    let (total_a, total_b) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    let term =
        |(&a, &b): (&f64, &f64)| (a * (total_b / total_a).sqrt() - b * (total_a / total_b).sqrt()).powi(2) / (a + b);
    a.iter().zip(b).map(term).sum()
}

#[test]
fn real_and_simulated_openings_have_one_distribution() {
    const TRANSCRIPTS: u64 = 40;
    let plan = plan(TOY, Visibility::Private, BLINDED);
    let reader = Reader::new(&plan);
    let public = witness(&plan, 1).public.clone();
    let real = Sample::of(&reader, (0..TRANSCRIPTS).map(|seed| Transcript::real(&plan, &witness(&plan, seed))));
    let simulated = Sample::of(&reader, (0..TRANSCRIPTS).map(|seed| simulate(&plan, &public, seed)));
    for (oracle, histogram) in &real.histograms {
        let statistic = chi_square(histogram, &simulated.histograms[oracle]);
        println!("{oracle}: {} values, {statistic:.1}", histogram.iter().sum::<f64>());
        assert!(statistic < 100.0, "{oracle}: {statistic}");
    }
    assert!(real.recurring.values().chain(simulated.recurring.values()).all(|&count| count == 0));
}

/// Without blinding the values of wires recur at the same points: the comparison would notice.
#[test]
fn without_zero_knowledge_openings_recur() {
    let plan = plan(TOY, Visibility::Private, Scheme { zero_knowledge: false, ..BLINDED });
    let sample = Sample::of(&Reader::new(&plan), (0..8).map(|seed| Transcript::real(&plan, &witness(&plan, seed))));
    assert!(sample.recurring["wires"] > 0);
}
