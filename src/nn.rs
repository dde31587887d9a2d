//! The network as a program: what it computes in floating point, and how large it is.
//!
//! Nothing here knows of circuits. It is what a proof is compared with: [`run()`] is the plain evaluation, and
//! [`Table`] the size of each layer as the reference in Python counts it.

pub mod reference;
mod run;
mod table;

#[cfg(test)]
mod tests;

pub use run::{WrongInput, run, run_all};
pub use table::{Row, Table};
