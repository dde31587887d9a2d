//! The options that say how a circuit is made.

use clap::ValueEnum;
use zknn::artifact::Options;
use zknn::plan::security::{HashKind, Level, Scheme};
use zknn::plan::{OutputVisibility, Visibility};

/// The options, for the commands that have them. None has a default here, so that it shows which were given.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// What the verifier learns about the input: a salted digest, all of it, or nothing [default: committed]
    #[arg(long, value_name = "VISIBILITY", value_enum)]
    input_visibility: Option<InputVisibility>,

    /// What the verifier learns about the output: all of it, or a salted digest [default: public]
    #[arg(long, value_name = "VISIBILITY", value_enum)]
    output_visibility: Option<OutputOption>,

    /// The hash of the Merkle trees; poseidon is slower, for proofs that are verified inside another circuit [default:
    /// blake3]
    #[arg(long, value_name = "HASH", value_enum)]
    hash: Option<Hash>,

    /// In which regime every step of a proof has 100 bits of security: as is conjectured today, or as is proven, with proofs
    /// that are three times as large [default: conjectured]
    #[arg(long, value_name = "REGIME", value_enum)]
    security: Option<Security>,

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
enum OutputOption {
    Public,
    Committed,
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
        let default = Options::default();
        Options {
            visibility: match self.input_visibility {
                None => default.visibility,
                Some(InputVisibility::Committed) => Visibility::Committed,
                Some(InputVisibility::Public) => Visibility::Public,
                Some(InputVisibility::Private) => Visibility::Private,
            },
            output_visibility: match self.output_visibility {
                None => default.output_visibility,
                Some(OutputOption::Public) => OutputVisibility::Public,
                Some(OutputOption::Committed) => OutputVisibility::Committed,
            },
            scheme: Scheme {
                zero_knowledge: !self.no_zk,
                hash: match self.hash {
                    None => default.scheme.hash,
                    Some(Hash::Blake3) => HashKind::Blake3,
                    Some(Hash::Poseidon) => HashKind::Poseidon,
                },
                level: match self.security {
                    None => default.scheme.level,
                    Some(Security::Conjectured) => Level::Conjectured,
                    Some(Security::Proven) => Level::Proven,
                },
            },
        }
    }

    /// The first option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.input_visibility.is_some(), "--input-visibility"),
            (self.output_visibility.is_some(), "--output-visibility"),
            (self.hash.is_some(), "--hash"),
            (self.security.is_some(), "--security"),
            (self.no_zk, "--no-zk"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }
}
