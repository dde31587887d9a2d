//! A proof with the verifier's challenges, and the verifier's checks of it: those that plonky2 makes, with challenges that are
//! given instead of drawn.

use super::algebra::conjugate;
use super::reader::{Challenges, Opened, Reader, ToldOfZ};
use crate::circuit::hash::Blake3Config;
use crate::circuit::{Binding, Key, Prover, Timings, Witness};
use crate::circuit::{shape_of, verifier_data};
use crate::gadget::field::{D, F};
use crate::plan::Plan;
use plonky2::fri::proof::{FriChallenges, FriProof};
use plonky2::fri::structure::{
    FriBatchInfo, FriInstanceInfo, FriOpeningBatch, FriOpenings, FriOracleInfo, FriPolynomialInfo,
};
use plonky2::fri::verifier::verify_fri_proof;
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::{GenericConfig, Hasher};
use plonky2::plonk::proof::{OpeningSet, ProofWithPublicInputs};

pub type Hash = <Blake3Config as GenericConfig<D>>::Hasher;

pub struct Transcript {
    pub public: Vec<F>,
    /// The commitments: to what is preprocessed, wires, `Z` and partial products, and the quotient.
    pub caps: Vec<MerkleCap<F, Hash>>,
    pub openings: OpeningSet<F, D>,
    pub fri: FriProof<F, Hash, D>,
    pub challenges: Challenges,
    pub fri_challenges: FriChallenges<F, D>,
}

impl Transcript {
    /// That of a real proof.
    pub fn real(plan: &Plan, witness: &Witness) -> Self {
        let reader = Reader::new(plan);
        let prover = Prover::<Blake3Config>::new(plan);
        let bytes = prover.prove(witness, &Binding::default(), &mut Timings::default()).expect("a proof");
        let key = Key::<Blake3Config>::new(&shape_of(plan), prover.cap(), &Binding::default());
        key.verify(&bytes).expect("the proof holds");
        let proof = ProofWithPublicInputs::<F, Blake3Config, D>::from_bytes(bytes, &reader.common).expect("as written");
        let data = verifier_data::<Blake3Config>(&reader.common, prover.cap(), &Binding::default());
        let public_hash = proof.get_public_inputs_hash();
        let all = proof.get_challenges(public_hash, &data.circuit_digest, &reader.common).expect("a transcript");
        let ProofWithPublicInputs { proof, public_inputs } = proof;
        Self {
            public: public_inputs,
            caps: vec![prover.cap(), proof.wires_cap, proof.plonk_zs_partial_products_cap, proof.quotient_polys_cap],
            openings: proof.openings,
            fri: proof.opening_proof,
            challenges: Challenges {
                betas: all.plonk_betas,
                gammas: all.plonk_gammas,
                alphas: all.plonk_alphas,
                zeta: all.plonk_zeta,
            },
            fri_challenges: all.fri_challenges,
        }
    }

    /// Whether a verifier who drew these challenges accepts.
    pub fn is_accepted(&self, reader: &Reader) -> bool {
        let at_zeta = reader.opened(&self.openings, self.challenges.zeta);
        if !reader.holds(&at_zeta, &self.openings.plonk_zs_next, &self.challenges, &self.public_hash()) {
            return false;
        }
        let Opened { constants, sigmas, wires, zs, partial_products, chunks, .. } = at_zeta;
        let next = FriOpeningBatch { values: self.openings.plonk_zs_next.clone() };
        let here = FriOpeningBatch { values: [constants, sigmas, wires, zs, partial_products, chunks].concat() };
        verify_fri_proof::<F, Blake3Config, D>(
            &self.instance(reader),
            &FriOpenings { batches: vec![here, next] },
            &self.fri_challenges,
            &self.caps,
            &self.fri,
            &reader.common.fri_params,
        )
        .is_ok()
    }

    /// What is opened at each query.
    pub fn queries(&self, reader: &Reader) -> Vec<Opened> {
        reader.queries::<Blake3Config>(&self.fri, &self.fri_challenges.fri_query_indices)
    }

    /// All that the transcript tells of `Z`.
    pub fn told_of_z(&self, reader: &Reader) -> ToldOfZ {
        let mut told = vec![Vec::new(); reader.sets()];
        let mut tell = |point, values: &[_]| {
            for (told, &value) in told.iter_mut().zip(values) {
                if !told.iter().any(|(other, _)| *other == point) {
                    told.push((point, value));
                }
            }
        };
        for query in self.queries(reader) {
            tell(query.point, &query.zs);
            tell(reader.next(query.point), &reader.z_next(&query, &self.challenges, &self.public_hash()));
        }
        let zeta = self.challenges.zeta;
        for (point, values) in [(zeta, &self.openings.plonk_zs), (reader.next(zeta), &self.openings.plonk_zs_next)] {
            tell(point, values);
            tell(conjugate(point), &values.iter().map(|&value| conjugate(value)).collect::<Vec<_>>());
        }
        told
    }

    fn public_hash(&self) -> HashOut<F> {
        PoseidonHash::hash_no_pad(&self.public)
    }

    /// The polynomials and points of the low-degree test.
    fn instance(&self, reader: &Reader) -> FriInstanceInfo<F, D> {
        let (common, sets) = (&reader.common, reader.sets());
        let columns = [
            common.num_constants + common.config.num_routed_wires,
            common.config.num_wires,
            sets * (1 + common.num_partial_products),
            sets * common.quotient_degree_factor,
        ];
        let oracle = |(index, &num_polys): (usize, &usize)| FriOracleInfo { num_polys, blinding: index > 0 };
        let all = columns.iter().enumerate().flat_map(|(index, &count)| FriPolynomialInfo::from_range(index, 0..count));
        let zeta = self.challenges.zeta;
        FriInstanceInfo {
            oracles: columns.iter().enumerate().map(oracle).collect(),
            batches: vec![
                FriBatchInfo { point: zeta, polynomials: all.collect() },
                FriBatchInfo { point: reader.next(zeta), polynomials: FriPolynomialInfo::from_range(2, 0..sets) },
            ],
        }
    }
}
