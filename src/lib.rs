//! zknn compiles neural networks to zero-knowledge circuits.

pub mod circuit;
pub mod front;
pub mod gadget;
pub mod nn;
pub mod plan;
