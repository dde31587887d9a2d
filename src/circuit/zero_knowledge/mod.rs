//! Zero knowledge from the other side: what a reader can compute from a proof, against what blinding makes random.
//! `docs/zero-knowledge.md` has the argument; here it is held to real proofs, to an attack, and to a simulator.

mod algebra;
mod attack;
mod blinding;
mod masks;
mod products;
mod rank;
mod reader;
mod simulation;
mod simulator;
mod subject;
mod transcript;

use super::{Secrets, Witness};
use crate::gadget::field::F;
use crate::plan::security::{HashKind, Level, QUOTIENT_DEGREE, Scheme};
use crate::plan::{DIGEST, Plan, Visibility};
use plonky2::field::types::{Field, Sample};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use reader::Reader;

/// A matrix-vector product and a maximum.
const TOY: &str = "
%0 = input : [3] fixed(scale 1, -5..=4)
%1 = dense %0 weights=fixed[2, 3] scale 1 [1, -2, 3, 4, 5, -6] bias=fixed[2] scale 1 [7, -8]
%2 = relu %1
output %2
";

/// A convolution with its pooling, and a normalization.
const NORMALIZING: &str = "
%0 = input : [4, 4, 1] fixed(scale 1, -5..=100)
%1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 1 [3, -5]
%2 = max_pool %1 window=[2, 2] relu
%3 = flatten %2
%4 = normalize %3 fraction_bits=24
output %4
";

/// Requantization and a choice of the greatest.
const CLASSIFYING: &str = "
%0 = input : [2, 2, 1] fixed(scale 0.5, -8..=7)
%1 = conv2d %0 kernel=fixed[2, 1, 1, 1] scale 0.125 [3, -5]
%2 = flatten %1
%3 = requantize %2 multipliers=[3] shift=4 clamp=0..=15 scale 0.25
%4 = argmax %3 axis=0
output %4
";

fn plan(text: &str, visibility: Visibility, scheme: Scheme) -> Plan {
    let graph = zknn_ir::parse(text).expect("a graph");
    Plan::new(&graph, visibility, scheme).expect("a plan")
}

const BLINDED: Scheme = Scheme { zero_knowledge: true, hash: HashKind::Blake3, level: Level::Conjectured };

/// Secrets of which all randomness but the salt of the input comes from `seed`.
fn secrets(salt: [F; DIGEST], seed: u64) -> Secrets {
    Secrets { salts: vec![Some(salt)], randomness: ChaCha20Rng::seed_from_u64(seed) }
}

fn random_salt(seed: u64) -> [F; DIGEST] {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    std::array::from_fn(|_| F::sample(&mut random))
}

/// `Z` of one challenge set in all rows, and for each row the partial products after each chunk but the last.
struct Products {
    z: Vec<F>,
    partial: Vec<Vec<F>>,
}

impl Products {
    fn new(reader: &Reader, witness: &Witness, beta: F, gamma: F) -> Self {
        let rows = reader.subgroup.len();
        let routed = reader.common.config.num_routed_wires;
        let (mut z, mut partial) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut product = F::ONE;
        for (row, &point) in reader.subgroup.iter().enumerate() {
            z.push(product);
            let ratio = |column: usize| {
                let value = witness.row(row)[column] + gamma;
                let denominator = value + beta * reader.sigmas[column * rows + row];
                (value + beta * reader.common.k_is[column] * point) * denominator.inverse()
            };
            let ratios: Vec<F> = (0..routed).map(ratio).collect();
            let mut after = Vec::new();
            for chunk in ratios.chunks(QUOTIENT_DEGREE) {
                product *= chunk.iter().copied().product();
                after.push(product);
            }
            after.pop();
            partial.push(after);
        }
        assert!(product.is_one(), "the permutation holds");
        Self { z, partial }
    }
}
