//! zknn compiles neural networks to zero-knowledge circuits.

pub mod circuit;
pub mod gadget;
pub mod plan;
