//! The options that say how a circuit is made.

use clap::ValueEnum;
use zknn::artifact::Options;
use zknn::plan::Visibility;
use zknn::plan::security::{HashKind, Level, Scheme};

/// The options, for the commands that have them.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// What the verifier learns about the input: a salted digest, all of it, or nothing
    #[arg(long, value_name = "VISIBILITY", value_enum, default_value = "committed")]
    input_visibility: InputVisibility,

    /// The hash of the Merkle trees; poseidon is slower, for proofs that are verified inside another circuit
    #[arg(long, value_name = "HASH", value_enum, default_value = "blake3")]
    hash: Hash,

    /// In which regime every step of a proof has 100 bits of security: as is conjectured today, or as is proven, with proofs
    /// that are three times as large
    #[arg(long, value_name = "REGIME", value_enum, default_value = "conjectured")]
    security: Security,

    /// Make proofs that may tell more than they state
    #[arg(long)]
    no_zk: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InputVisibility {
    Committed,
    Public,
    Private,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Hash {
    Blake3,
    Poseidon,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Security {
    Conjectured,
    Proven,
}

impl Args {
    /// The options as the library takes them.
    pub(super) fn options(&self) -> Options {
        Options {
            visibility: match self.input_visibility {
                InputVisibility::Committed => Visibility::Committed,
                InputVisibility::Public => Visibility::Public,
                InputVisibility::Private => Visibility::Private,
            },
            scheme: Scheme {
                zero_knowledge: !self.no_zk,
                hash: match self.hash {
                    Hash::Blake3 => HashKind::Blake3,
                    Hash::Poseidon => HashKind::Poseidon,
                },
                level: match self.security {
                    Security::Conjectured => Level::Conjectured,
                    Security::Proven => Level::Proven,
                },
            },
        }
    }
}
