//! From a plan to plonky2: gates, rows, the witness, proving and verifying.

pub mod hash;
pub mod row_gate;

#[cfg(test)]
mod gate_tests;
