//! Why a graph has no plan.

use super::security;

/// Why a graph has no circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A real number where only integers can be proved.
    #[error("{node} has real numbers, and only fixed-point ones can be proved")]
    NotFixed {
        /// The node.
        node: String,
    },
    /// Two values of the interval could differ by so much that the field confuses their order.
    #[error("{node} compares values in {lo}..={hi}, which is wider than 2^62")]
    TooWide {
        /// The node.
        node: String,
        /// Lower end.
        lo: i64,
        /// Upper end.
        hi: i64,
    },
    /// A normalization that the circuit's integers are not made for.
    #[error(
        "{node} has {elements} elements at {fraction_bits} fraction bits; the circuit normalizes up to {MAX} at {BITS}",
        MAX = crate::gadget::MAX_ELEMENTS,
        BITS = crate::gadget::FRACTION_BITS
    )]
    Normalize {
        /// The node.
        node: String,
        /// Its fraction bits.
        fraction_bits: u32,
        /// Its elements.
        elements: usize,
    },
    /// Visibilities that are said of another number of inputs, or of outputs, than the graph has.
    #[error("the circuit is told the visibility of another number of {0} than the model has")]
    Visibility(&'static str),
    /// The choices of another graph, or of no planner.
    #[error("the choices of rows and columns are not for this program")]
    Choices,
    /// The circuit is beyond a limit.
    #[error("the circuit would have an impossible {what}")]
    Impossible {
        /// What of it.
        what: &'static str,
    },
    /// Soundness asks for more challenge sets than blinding can hide.
    #[error(
        "a circuit this large needs {sets} challenge sets, and zero knowledge holds for at most {MAX}",
        MAX = security::MAX_BLINDED_SETS
    )]
    BlindedSets {
        /// The fewest that any layout needs.
        sets: usize,
    },
    /// A round of the protocol is not as secure as it must be.
    #[error(
        "the {round} would have {bits} bits of security {regime}, of {LEVEL}, in the best layout that there is",
        LEVEL = security::SECURITY_BITS
    )]
    Insecure {
        /// The weakest round of the best layout.
        round: security::Round,
        /// The regime in which it falls short.
        regime: security::Regime,
        /// The bits that it reaches, rounded down.
        bits: usize,
    },
    /// More rows than any circuit has.
    #[error("the model needs more than {max_rows} rows, or too many wires in a row")]
    TooLarge {
        /// The most rows that were tried.
        max_rows: usize,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Insecure { .. } => {
                "the fewer cells a circuit has, rows times columns, the more secure it is: a smaller model has fewer"
            }
            _ => "a smaller input range or smaller weights make narrower intervals",
        }
    }
}
