//! The files that zknn writes.

mod write;

pub use write::{WriteError, write_atomically};
