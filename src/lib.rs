//! zknn

pub mod front;
pub mod nn;
