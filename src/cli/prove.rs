//! `zknn prove`

use super::progress::step;
use super::{output, tensors, timings};
use miette::{Diagnostic, Report};
use ndarray::{ArrayD, Axis};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zknn::artifact::{CircuitFile, FileKind, Opening, VerifyingKey, read, to_bytes, write_file};
use zknn::input::{InputError, are_batches, integers_at, integers_of_batches};
use zknn::plan::Visibility;
use zknn::{Announcement, Circuit, Input, ProofError, Request, Timings, saturation};

/// Prove what a circuit's model gives on an input.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The circuit, as `zknn compile` wrote it
    circuit: PathBuf,

    /// The input, a tensor in a JSON file; or many, in a tensor with one more axis, the first, which makes as many proofs.
    /// For a model of several inputs, once for each of them
    #[arg(long, value_name = "FILE", required_unless_present = "opening")]
    input: Vec<PathBuf>,

    /// The input with the salt that it is committed to with already: an opening that `zknn commit` wrote, or `zknn prove`
    /// for an output; with --input, the input must be the same. For a model of several inputs, once for each that it commits
    /// to, or the first of these; --input then gives the others
    #[arg(long, value_name = "FILE")]
    opening: Vec<PathBuf>,

    /// The proof to write; of many inputs proof-0.zkp, proof-1.zkp and so on. Openings, which are secret, stand beside it:
    /// of the input in proof.zkp.opening, of a committed output in proof.zkp.output.opening; of several, in
    /// proof.zkp.0.opening and so on
    #[arg(short, long, value_name = "FILE", default_value = "proof.zkp")]
    output: PathBuf,

    /// Write no openings: nobody will ever be able to open the commitments
    #[arg(long)]
    no_opening: bool,

    /// Refuse a circuit of another key than this one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Bind the proof to this text, for example a challenge of the verifier; it holds for no other
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,

    /// Refuse an input that saturates a number: a network's number that rounding leaves no room for
    #[arg(long)]
    deny_saturation: bool,

    /// Prove even if proofs of this circuit disclose the input
    #[arg(long)]
    disclose_input: bool,

    #[command(flatten)]
    timings: timings::Args,
}

/// Why nothing is proved, though it could be.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum Refusal {
    #[error("proofs of this circuit disclose the input: {reasons}")]
    #[diagnostic(
        code(zknn::prove::discloses_input),
        help("give `--disclose-input` if the input is no secret; otherwise compile the model with other options")
    )]
    DisclosesInput { reasons: String },

    #[error("the circuit is not that of the key {}", path.display())]
    #[diagnostic(
        code(zknn::prove::other_key),
        help("take the circuit that was compiled with this key, or compile the model that you mean to prove")
    )]
    OtherKey { path: PathBuf },

    #[error("the input is not the one in the opening {}", path.display())]
    #[diagnostic(
        code(zknn::prove::other_input),
        help("leave out `--input`, since the opening holds the input, or commit to this one with `zknn commit`")
    )]
    OtherInput { path: PathBuf },
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let read_opening = |path: &PathBuf| Ok::<Opening, Report>(read(path, FileKind::Opening)?);
        let openings = self.opening.iter().map(read_opening).collect::<Result<Vec<_>, _>>()?;
        let key: Option<VerifyingKey> = self.key.as_ref().map(|path| read(path, FileKind::Key)).transpose()?;
        let mut timings = Timings::default();
        let file: CircuitFile = timings.measure("reading", || read(&self.circuit, FileKind::Circuit))?;
        let inputs = tensors::read(&self.input, &tensors::shapes(&file.graph, file.graph.inputs()))?;
        let circuit = step("load the circuit", || timings.measure("loading", || Circuit::load(file)))?;
        self.check(&circuit, key.as_ref(), &openings)?;
        if openings.is_empty() {
            self.prove_tensors(&circuit, &inputs, timings)?;
        } else {
            let inputs = self.with_openings(&circuit, &inputs, &openings)?;
            self.prove(&circuit, &inputs, &self.output, timings)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The inputs of the model: openings of the first that it commits to, and tensors. Where there are tensors for all, those of
    /// openings must be the same.
    fn with_openings<'a>(
        &self,
        circuit: &Circuit,
        tensors: &'a [ArrayD<f64>],
        openings: &'a [Opening],
    ) -> Result<Vec<Input<'a>>, Report> {
        let description = &circuit.key().description;
        let count = description.inputs.len();
        let told = description.told_inputs().enumerate();
        let mut places = told.filter_map(|(position, (_, told))| (told == Visibility::Committed).then_some(position));
        let mut opened: Vec<Option<(&Opening, &PathBuf)>> = vec![None; count];
        for opening in openings.iter().zip(&self.opening) {
            opened[places.next().ok_or(ProofError::NotCommitted)?] = Some(opening);
        }
        let is_all = tensors.len() == count;
        if !is_all && tensors.len() + openings.len() != count {
            return Err(InputError::Count { expected: count, got: tensors.len() + openings.len() }.into());
        }
        let mut tensors = tensors.iter();
        let mut inputs = Vec::new();
        for (position, opening) in opened.into_iter().enumerate() {
            let tensor = if is_all || opening.is_none() { tensors.next() } else { None };
            if let (Some(tensor), Some((opening, path))) = (tensor, opening)
                && integers_at(&circuit.file().graph, position, tensor)? != opening.integers()
            {
                return Err(Refusal::OtherInput { path: path.clone() }.into());
            }
            let opening = opening.map(|(opening, _)| opening);
            inputs.extend(opening.map(Input::Opening).or(tensor.map(Input::Tensor)));
        }
        Ok(inputs)
    }

    /// Tells what is about to be proved, and whether it may be.
    fn check(&self, circuit: &Circuit, key: Option<&VerifyingKey>, openings: &[Opening]) -> Result<(), Refusal> {
        let (context, commitments) = (self.context.as_deref(), openings.iter().map(Opening::commitment).collect());
        output::talk(&Announcement { circuit, context, commitments }.to_string());
        let bytes = |key| to_bytes(FileKind::Key, key);
        if let (Some(path), Some(key)) = (&self.key, key)
            && bytes(key) != bytes(circuit.key())
        {
            return Err(Refusal::OtherKey { path: path.clone() });
        }
        let ways: Vec<String> = circuit.input_disclosures().iter().map(ToString::to_string).collect();
        if !ways.is_empty() && !self.disclose_input {
            return Err(Refusal::DisclosesInput { reasons: ways.join("; ") });
        }
        Ok(())
    }

    /// Proves for the inputs of a model, or for each sample of batches of them.
    fn prove_tensors(&self, circuit: &Circuit, inputs: &[ArrayD<f64>], mut timings: Timings) -> Result<(), Report> {
        if !are_batches(&circuit.file().graph, inputs) {
            let inputs: Vec<Input<'_>> = inputs.iter().map(Input::Tensor).collect();
            return self.prove(circuit, &inputs, &self.output, timings);
        }
        // Before the first proof, for each takes its time.
        integers_of_batches(&circuit.file().graph, inputs)?;
        for index in 0..inputs[0].shape()[0] {
            let sample: Vec<ArrayD<f64>> =
                inputs.iter().map(|input| input.index_axis(Axis(0), index).to_owned()).collect();
            let sample: Vec<Input<'_>> = sample.iter().map(Input::Tensor).collect();
            self.prove(circuit, &sample, &numbered(&self.output, index), std::mem::take(&mut timings))?;
        }
        Ok(())
    }

    fn prove(&self, circuit: &Circuit, inputs: &[Input<'_>], path: &Path, mut timings: Timings) -> Result<(), Report> {
        let request = Request { inputs, context: self.context.as_deref(), deny_saturation: self.deny_saturation };
        let proved = step("prove", || circuit.prove_request(request, &mut timings))?;
        self.timings.tell(&timings);
        if !proved.saturations.is_empty() {
            let list = saturation::list(&proved.saturations);
            output::talk(&format!("saturated numbers, which the proof does not tell: {list}"));
        }
        write_file(path, FileKind::Proof, &proved.proof)?;
        // An input that was opened has its opening already.
        let has_opening = |position: &usize| matches!(inputs.get(*position), Some(Input::Opening(_)));
        let of_inputs = numbered_names("", proved.inputs.len()).into_iter().zip(&proved.inputs).enumerate();
        let of_inputs = of_inputs.filter(|(position, _)| !has_opening(position)).map(|(_, opening)| opening);
        let of_outputs = numbered_names("output.", proved.outputs.len()).into_iter().zip(&proved.outputs);
        for (name, opening) in of_inputs.chain(of_outputs).filter(|_| !self.no_opening) {
            let Some(opening) = opening else { continue };
            let beside = beside(path, &name);
            if let Err(error) = write_file(&beside, FileKind::Opening, opening) {
                // Nobody could ever open what it commits to. If it can't be removed, the error is told all the same.
                let _ = std::fs::remove_file(path);
                return Err(error.into());
            }
            output::talk(&format!("wrote {}, which is secret", beside.display()));
        }
        output::talk(&format!("wrote {}", path.display()));
        Ok(())
    }
}

/// What the openings of so many tensors are called: `opening` of one, else `0.opening`, `1.opening`, …
fn numbered_names(prefix: &str, count: usize) -> Vec<String> {
    match count {
        1 => vec![format!("{prefix}opening")],
        _ => (0..count).map(|index| format!("{prefix}{index}.opening")).collect(),
    }
}

/// `proof.zkp.opening` for `proof.zkp`.
fn beside(path: &Path, name: &str) -> PathBuf {
    let mut file = path.file_name().unwrap_or_default().to_os_string();
    file.push(".");
    file.push(name);
    path.with_file_name(file)
}

/// `proof-3.zkp` for `proof.zkp` and 3.
fn numbered(path: &Path, index: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    name.push(format!("-{index}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_before_the_extension() {
        assert_eq!(numbered(Path::new("a/proof.zkp"), 12), Path::new("a/proof-12.zkp"));
        assert_eq!(numbered(Path::new("p"), 0), Path::new("p-0"));
    }

    #[test]
    fn openings_have_the_name_of_the_proof() {
        assert_eq!(beside(Path::new("a/proof.zkp"), "opening"), Path::new("a/proof.zkp.opening"));
        assert_eq!(beside(Path::new("p"), "output.opening"), Path::new("p.output.opening"));
    }
}
