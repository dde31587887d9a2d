//! zknn compiles neural networks to zero-knowledge circuits.
//!
//! A model in JSON ([`front`]) becomes a graph in the intermediate representation ([`zknn_ir`]), is rewritten to
//! integers ([`passes`]), laid out in rows and columns ([`plan`]) of gadget instances ([`gadget`]), and proved and
//! verified with plonky2 ([`circuit`]). [`mod@evaluate`] and [`rounding`] measure what rounding costs. Circuits, verifying
//! keys, proofs and openings of commitments are files ([`artifact`]). [`nn`] runs a model as a plain program, which is what
//! all the rest is held to, and
//! [`matvec`] makes the smallest model to benchmark.
//!
//! ```
//! use zknn::artifact::Options;
//! use zknn::front::{Model, parse_tensor};
//! use zknn::{Lowering, compile, lower, verify};
//!
//! # fn main() -> zknn::Result<()> {
//! let layers = r#"{"layer_type": "fully_connected", "input_shape": [3],
//!     "weights": {"v": 1, "dim": [2, 3], "data": [1, -2, 3, 4, 5, -6]}}"#;
//! let text = format!(r#"{{"input_range": [-5, 4], "layers": [{layers}]}}"#);
//! let model = Model::parse("model.json", text)?;
//! let circuit = compile(lower(&model, &Lowering::default(), &mut |_, _| {})?, Options::default())?;
//!
//! let input = parse_tensor("input.json", r#"{"v": 1, "dim": [3], "data": [1, -5, 4]}"#.to_string())?;
//! let proof = circuit.prove(&input)?;
//!
//! // Whoever verifies has the key and the proof, and learns what they state.
//! let statement = verify(circuit.key(), &proof)?;
//! let output = statement.output().integers().expect("outputs are public unless options say otherwise");
//! assert_eq!(output.iter().copied().collect::<Vec<_>>(), [23, -45]);
//! # Ok(())
//! # }
//! ```

mod announcement;
pub mod artifact;
mod audit;
pub mod bits;
pub mod calibrated;
pub mod circuit;
mod diagnose;
mod error;
pub mod evaluate;
pub mod front;
pub mod input;
mod lowering;
pub mod matvec;
pub mod nn;
pub mod passes;
mod pipeline;
pub mod plan;
pub mod rounding;
pub mod saturation;

pub use announcement::{Announcement, InputDisclosure};
pub use audit::Audit;
pub use circuit::Timings;
pub use error::{Error, Result};
pub use input::Inputs;
pub use lowering::{DEFAULT_INPUT_RANGE, Lowered, Lowering, LoweringError, lower, lower_with_reals};
pub use passes::DEFAULT_BITS;
pub use pipeline::{Circuit, CompileError, Input, LoadError, ProofError, Proved, Request, compile, lower_exact};
pub use zknn_verifier::{FORMAT_VERSION, RejectError, gadget, verify, verify_in_context};
