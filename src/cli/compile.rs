//! `zknn compile`

use super::percent::Percent;
use super::progress::step;
use super::{lowering, model, options, output, rounding as told, timings};
use clap::builder::PossibleValuesParser;
use miette::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use zknn::artifact::{FileKind, Options, write_file};
use zknn::bits::{Assignment, cheapest_bits};
use zknn::calibrated::Calibrated;
use zknn::front::Model;
use zknn::plan::LeastSize;
use zknn::{CompileError, Lowering, Timings, compile, input, passes};

/// Compile a model to a circuit, which proves, and a key, which verifies.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: model::Args,

    /// The circuit to write [default: the model's name with .zkc]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The key to write [default: the circuit's name with .vk]
    #[arg(long, value_name = "FILE")]
    vk: Option<PathBuf>,

    /// Print the intermediate representation as it is after this pass
    #[arg(long, value_name = "PASS", value_parser = PossibleValuesParser::new(passes::names()))]
    emit_ir: Option<String>,

    /// Refuse to compile where rounding changes outputs by more than this fraction of how much they differ from input to input,
    /// in the root of the mean square
    #[arg(long, value_name = "PERCENT", default_value = "1%")]
    max_error: Percent,

    /// Choose bits, and fewer for layers that can do with fewer, such that rounding loses no more than this, as --max-error says; the
    /// choice is printed in the form that --bits takes
    #[arg(long, value_name = "PERCENT", conflicts_with_all = ["bits", "max_error", "force"])]
    max_drop: Option<Percent>,

    #[command(flatten)]
    lowering: lowering::Args,

    #[command(flatten)]
    options: options::Args,

    #[command(flatten)]
    timings: timings::Args,
}

impl Args {
    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let circuit_path = self.output.unwrap_or_else(|| self.model.path.with_extension("zkc"));
        let key_path = self.vk.unwrap_or_else(|| circuit_path.with_extension("vk"));

        let mut timings = Timings::default();
        let read = || timings.measure("reading", || self.model.read());
        let model = step("read the model", read)?;
        let mut emitted = None;
        let mut observe = |pass: &str, graph: &_| {
            if self.emit_ir.as_deref() == Some(pass) {
                emitted = Some(zknn_ir::print(graph));
            }
        };
        let options = self.options.options(&model)?;
        let mut given = self.lowering.read(&model)?;
        if let Some(Percent(most)) = self.max_drop {
            choose_bits(&model, &mut given.lowering, &options, most / 100.0)?;
        }
        let lowered = timings.measure("lowering", || given.round(&model, &mut observe));
        if let Some(text) = emitted {
            output::result(&text)?;
        }
        let rounded = lowered?;
        if rounded.has_calibration() && !input::rounds(&rounded.program) {
            output::talk(
                "the network computes with integers exactly: nothing is rounded, and calibration changes nothing",
            );
        }
        // What fits no circuit is not run, either.
        let least = LeastSize::of_any(&rounded.program, options.claims()).and_then(|size| size.check(options.scheme));
        least.map_err(CompileError::Plan)?;
        let loss = timings.measure("comparing", || step("compare with floating point", || rounded.loss()))?;
        if let Some(loss) = &loss {
            output::talk(&told::text(loss));
            told::check(loss, &model, self.max_drop.unwrap_or(self.max_error), options.uncalibrated)?;
        }
        let found = rounded.ranges.clone().filter(|_| rounded.has_calibration()).zip(loss);
        let calibrated = found.map(|(ranges, loss)| Calibrated::new(&rounded.program, ranges, loss));
        let program = rounded.program;
        drop((model, rounded.reals));
        let compile = || timings.measure("compiling", || compile(program, options));
        let circuit = step("compile", compile)?;
        timings.measure("writing", || write_file(&circuit_path, FileKind::Circuit, circuit.file()))?;
        write_file(&key_path, FileKind::Key, circuit.key())?;
        let mut written = format!("wrote {} and {}", circuit_path.display(), key_path.display());
        if let Some(calibrated) = calibrated {
            let ranges_path = circuit_path.with_extension("ranges.json");
            calibrated.write(&ranges_path)?;
            written += &format!(", and the ranges of the calibration to {}", ranges_path.display());
        }
        self.timings.tell(&timings);
        output::talk(&written);
        Ok(ExitCode::SUCCESS)
    }
}

/// Sets the bits to the cheapest that lose no more than this fraction, and prints what all cost and lose.
fn choose_bits(model: &Model, lowering: &mut Lowering, options: &Options, most: f64) -> Result<(), Report> {
    let mut table = "bits | estimate to prove |   proof | error".to_string();
    let mut tried = |tried: &Assignment| table += &row(tried);
    let search = || cheapest_bits(model, lowering, &options.claims(), options.scheme, most, &mut tried);
    let chosen = step("choose bits", search)?;
    let of_some = if chosen.layer_bits.is_empty() { String::new() } else { row(&chosen) };
    output::talk(&format!("{table}{of_some}\nchosen: --bits {chosen}"));
    (lowering.bits, lowering.layer_bits) = (Some(chosen.bits), chosen.layer_bits);
    Ok(())
}

fn row(assignment: &Assignment) -> String {
    let Assignment { bits, layer_bits, cost, error } = assignment;
    let bits = if layer_bits.is_empty() { bits.to_string() } else { "some".to_string() };
    let (seconds, proof) = (cost.seconds, cost.proof / 1000);
    format!("\n{bits:>4} | {seconds:>15.3} s | {proof:>4} kB | {:.2} %", 100.0 * error)
}
