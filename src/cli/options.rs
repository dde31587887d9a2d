//! The options that say how a circuit is made.

use clap::ValueEnum;
use miette::{Diagnostic, Report};
use std::str::FromStr;
use zknn::artifact::{Omitted, Options};
use zknn::front::{Last, Model};
use zknn::plan::security::{HashKind, Level, Scheme};
use zknn::plan::{Each, OutputVisibility, Visibility};

/// The options, for the commands that have them. None has a default here, so that it shows which were given.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// What the verifier learns about the inputs: a salted digest, all of it, or nothing [default: committed]; of one input of
    /// several with its name before it, NAME=public
    #[arg(long, value_name = "[NAME=]committed|public|private")]
    input_visibility: Vec<OfEnd<Visibility>>,

    /// What the verifier learns about the outputs: all of it, or a salted digest [default: public]; of one output of several
    /// with the name of its layer before it, NAME=committed
    #[arg(long, value_name = "[NAME=]public|committed")]
    output_visibility: Vec<OfEnd<OutputVisibility>>,

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

    /// Compile even if rounding changes outputs; the key, and all that is proved under it, say that the model is uncalibrated
    #[arg(long)]
    force: bool,

    /// Make proofs state that no number was saturated, held at an end that rounding and not the network sets. There is none
    /// for inputs that saturate one
    #[arg(long)]
    prove_no_saturation: bool,
}

/// A visibility, of one input or output or of all.
#[derive(Debug, Clone)]
struct OfEnd<T> {
    name: Option<String>,
    visibility: T,
}

/// A visibility of what the model does not have.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the model has no {what} named `{name}`")]
#[diagnostic(code(zknn::options::no_such_end), help("{}", known_names(what, names)))]
struct NoSuchEnd {
    what: &'static str,
    name: String,
    names: Vec<String>,
}

fn known_names(what: &str, names: &[String]) -> String {
    match names {
        [] => format!("its {what}s have no names: give the visibility of all of them, without a name"),
        names => format!("its {what}s are named {}", names.join(", ")),
    }
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
    /// The options as the library takes them, for the inputs and outputs of a model.
    pub(super) fn options(&self, model: &Model) -> Result<Options, Report> {
        let default = Options::default();
        let inputs: Vec<Option<&str>> = model.inputs().iter().map(|input| Some(input.name.as_str())).collect();
        let outputs: Vec<Option<&str>> = model.outputs().iter().map(|&layer| model.layers()[layer].name()).collect();
        Ok(Options {
            visibility: each("input", &inputs, &self.input_visibility, default.visibility)?,
            output_visibility: each("output", &outputs, &self.output_visibility, default.output_visibility)?,
            omitted: omitted(model),
            uncalibrated: self.force,
            unsaturated: self.prove_no_saturation,
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
        })
    }

    /// The first option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.input_visibility.is_empty(), "--input-visibility"),
            (!self.output_visibility.is_empty(), "--output-visibility"),
            (self.hash.is_some(), "--hash"),
            (self.security.is_some(), "--security"),
            (self.no_zk, "--no-zk"),
            (self.force, "--force"),
            (self.prove_no_saturation, "--prove-no-saturation"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }
}

/// What of each output no layer computes.
fn omitted(model: &Model) -> Each<Omitted> {
    let of_output = |last: &Option<Last>| match last {
        None => Omitted::Nothing,
        Some(Last::Softmax) => Omitted::Softmax,
        Some(Last::LogSoftmax) => Omitted::LogSoftmax,
        Some(Last::Sigmoid) => Omitted::Sigmoid,
    };
    let own: Vec<Omitted> = model.omitted().iter().map(of_output).collect();
    if own.iter().all(|other| *other == own[0]) { own[0].into() } else { Each::Own(own) }
}

/// What holds for each of the ends of these names: what is said of all, unless something is said of it by name. Of what is said
/// twice the last counts.
fn each<T: Copy + PartialEq>(
    what: &'static str,
    names: &[Option<&str>],
    given: &[OfEnd<T>],
    default: Each<T>,
) -> Result<Each<T>, NoSuchEnd> {
    let of_all = given.iter().rfind(|given| given.name.is_none()).map_or(default, |given| given.visibility.into());
    let mut named = given.iter().filter_map(|given| Some((given.name.as_deref()?, given.visibility))).peekable();
    // What is the same for all is said of all: the key does not depend on how it was said.
    let (Some(mut own), Some(_)) = (of_all.of(names.len()), named.peek()) else { return Ok(of_all) };
    for (name, visibility) in named {
        let position = names.iter().position(|&other| other == Some(name)).ok_or_else(|| NoSuchEnd {
            what,
            name: name.to_string(),
            names: names.iter().flatten().map(|name| name.to_string()).collect(),
        })?;
        own[position] = visibility;
    }
    Ok(if own.iter().all(|other| *other == own[0]) { own[0].into() } else { Each::Own(own) })
}

impl FromStr for OfEnd<Visibility> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (name, text) = split(text);
        let visibility = match text {
            "committed" => Visibility::Committed,
            "public" => Visibility::Public,
            "private" => Visibility::Private,
            _ => return Err("a visibility is committed, public or private"),
        };
        Ok(Self { name, visibility })
    }
}

impl FromStr for OfEnd<OutputVisibility> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (name, text) = split(text);
        let visibility = match text {
            "public" => OutputVisibility::Public,
            "committed" => OutputVisibility::Committed,
            _ => return Err("a visibility of an output is public or committed"),
        };
        Ok(Self { name, visibility })
    }
}

/// The name, if there is one, and what is said of it. No visibility has an equals sign.
fn split(text: &str) -> (Option<String>, &str) {
    match text.rsplit_once('=') {
        Some((name, rest)) => (Some(name.to_string()), rest),
        None => (None, text),
    }
}
