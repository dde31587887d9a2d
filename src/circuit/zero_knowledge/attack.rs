//! An attack on proofs: who has a list of possible inputs asks of each whether `Z`, as the proof tells it, can be that of the
//! input. Nothing but public data goes in. Each value of `Z` that a proof tells is a linear equation in the values of `Z`
//! at the rows, and only those at some rows depend on what is random: with fewer such rows than equations, a wrong guess
//! does not fit.

use super::algebra::{eliminate, lagrange};
use super::reader::{Challenges, Reader, ToldOfZ};
use super::transcript::Transcript;
use super::{BLINDED, Products, TOY, plan, random_salt, secrets};
use crate::circuit::Witness;
use crate::front::{self, Layer, LayerKind, Model};
use crate::gadget::field::{Ext, F};
use crate::plan::{Plan, Visibility};
use crate::{Lowering, input, lower};
use plonky2::field::polynomial::{PolynomialCoeffs, PolynomialValues};
use plonky2::field::types::Field;
use std::path::Path;
use zknn_ir::Graph;

/// What one proof tells of `Z`, and with which challenges.
pub struct Told {
    reader: Reader,
    challenges: Challenges,
    z: ToldOfZ,
}

impl Told {
    pub fn new(plan: &Plan, transcript: Transcript) -> Self {
        let reader = Reader::new(plan);
        let z = transcript.told_of_z(&reader);
        Self { reader, z, challenges: transcript.challenges }
    }

    /// `Z` of each set at all rows.
    fn z_of(&self, witness: &Witness) -> Vec<Vec<F>> {
        let sets = self.challenges.betas.iter().zip(&self.challenges.gammas);
        sets.map(|(&beta, &gamma)| Products::new(&self.reader, witness, beta, gamma).z).collect()
    }

    /// How many of the told values are those of the witness that was proved.
    fn right(&self, witness: &Witness) -> usize {
        let polynomial = |z: Vec<F>| {
            let coefficients = PolynomialValues::new(z).ifft().coeffs;
            PolynomialCoeffs::new(coefficients.into_iter().map(Ext::from).collect())
        };
        let sets = self.z_of(witness).into_iter().map(polynomial).zip(&self.z);
        sets.map(|(z, told)| told.iter().filter(|(point, value)| z.eval(*point) == *value).count()).sum()
    }

    /// For each candidate whether the proof can be one for it, and how many equations could have told.
    pub fn fits(&self, candidates: &[Candidate]) -> (Vec<bool>, usize) {
        let guesses: Vec<Vec<Vec<F>>> = candidates.iter().map(|candidate| self.z_of(&candidate.first)).collect();
        let other = self.z_of(&candidates[0].second);
        let mut fits = vec![true; candidates.len()];
        let mut left = 0;
        for (set, told) in self.z.iter().enumerate() {
            let (random, fixed): (Vec<usize>, Vec<usize>) =
                (0..other[set].len()).partition(|&row| guesses[0][set][row] != other[set][row]);
            let equation = |(point, value): &(Ext, Ext)| {
                let basis = lagrange(&self.reader.subgroup, *point);
                let rest = |guess: &Vec<Vec<F>>| {
                    *value - fixed.iter().map(|&row| basis[row] * Ext::from(guess[set][row])).sum::<Ext>()
                };
                random.iter().map(|&row| basis[row]).chain(guesses.iter().map(rest)).collect()
            };
            let mut equations: Vec<Vec<Ext>> = told.iter().map(equation).collect();
            let rank = eliminate(&mut equations, random.len());
            left += equations.len() - rank;
            for equation in &equations[rank..] {
                fits.iter_mut().zip(&equation[random.len()..]).for_each(|(fits, rest)| *fits &= rest.is_zero());
            }
        }
        (fits, left)
    }
}

/// Two witnesses of a guess, that differ in all that whoever guesses does not know.
pub struct Candidate {
    first: Witness,
    second: Witness,
}

impl Candidate {
    pub fn new(plan: &Plan, input: &[i64]) -> Self {
        let [first, second] = [1, 2].map(|seed| Witness::new(plan, input, secrets(random_salt(seed), seed)));
        Self { first, second }
    }
}

/// All inputs in the range of the toy model.
pub fn all_inputs() -> Vec<Vec<i64>> {
    let range = || -5..=4;
    range().flat_map(|a| range().flat_map(move |b| range().map(move |c| vec![a, b, c]))).collect()
}

pub const SECRET: &[i64] = &[1, -5, 4];

/// Attacks a proof of the toy model for the secret input: which inputs fit, and how many equations could have told.
fn attack_toy(plan: &Plan) -> (Vec<Vec<i64>>, usize) {
    let secret = Witness::new(plan, SECRET, secrets(random_salt(7), 7));
    let told = Told::new(plan, Transcript::real(plan, &secret));
    let count: usize = told.z.iter().map(Vec::len).sum();
    assert_eq!(told.right(&secret), count, "values that are told are values of Z");
    let candidates: Vec<Candidate> = all_inputs().iter().map(|input| Candidate::new(plan, input)).collect();
    let (fits, left) = told.fits(&candidates);
    let fitting = all_inputs().into_iter().zip(fits).filter(|(_, fits)| *fits);
    (fitting.map(|(input, _)| input).collect(), left)
}

#[test]
fn a_proof_fits_every_input_of_the_toy_model() {
    for visibility in [Visibility::Private, Visibility::Committed] {
        let (fitting, left) = attack_toy(&plan(TOY, visibility, BLINDED));
        assert_eq!((fitting.len(), left), (all_inputs().len(), 0), "{visibility:?}");
    }
}

/// The attack works where there is something to find: with as many blinding rows as values of `Z` are opened, instead of
/// told, one input of a thousand fits.
#[test]
fn with_fewer_chained_rows_the_proof_fits_the_secret_alone() {
    for visibility in [Visibility::Private, Visibility::Committed] {
        let mut plan = plan(TOY, visibility, BLINDED);
        plan.layout.blinding.chained = 33;
        let (fitting, left) = attack_toy(&plan);
        assert_eq!(fitting, [SECRET.to_vec()], "{visibility:?}");
        assert!(left > 0);
    }
}

fn digits(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/digits").join(name)
}

/// A network of handwritten digits that tells the class alone.
fn classifier(name: &str, visibility: Visibility) -> (Plan, Graph) {
    let model = Model::read(&digits(name)).expect("a model");
    let mut layers = model.layers().to_vec();
    layers.push(Layer::new(LayerKind::Argmax { axis: None }, model.output_shape()));
    let model = Model::new(layers, model.input_range()).expect("the layers chain");
    let calibration = front::read_tensor(&digits("calibration.json")).expect("inputs");
    let lowering = Lowering { calibration: vec![calibration], ..Lowering::default() };
    let graph = lower(&model, &lowering, &mut |_, _| {}).expect("an integer program");
    (Plan::new(&graph, visibility, BLINDED).expect("a plan"), graph)
}

/// Of the test images that the network puts into the class of the one that was proved, the proof fits every one.
#[test]
fn a_proof_fits_every_digit_of_its_class() {
    let images = front::read_tensor(&digits("test_inputs.json")).expect("inputs");
    for (name, visibility) in
        [("cnn.json", Visibility::Committed), ("mlp.json", Visibility::Committed), ("cnn.json", Visibility::Private)]
    {
        let (plan, graph) = classifier(name, visibility);
        let integers = |image: ndarray::ArrayViewD<f64>| -> Vec<i64> {
            input::integers(&graph, &image.to_owned()).expect("in range").iter().copied().collect()
        };
        let images: Vec<Vec<i64>> = images.outer_iter().map(integers).collect();
        let class = |image: &Vec<i64>| Witness::new(&plan, image, secrets(random_salt(1), 1)).outputs().next();
        let secret = 17;
        let proved = class(&images[secret]);
        let of_class: Vec<&Vec<i64>> = images.iter().filter(|image| class(image) == proved).collect();
        assert!(of_class.len() > 50);
        let witness = Witness::new(&plan, &images[secret], secrets(random_salt(7), 7));
        let candidates: Vec<Candidate> = of_class.iter().map(|image| Candidate::new(&plan, image)).collect();
        let (fits, left) = Told::new(&plan, Transcript::real(&plan, &witness)).fits(&candidates);
        assert!(fits.iter().all(|&fits| fits), "{name} {visibility:?}");
        assert_eq!(left, 0);
    }
}
