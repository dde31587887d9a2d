//! The benchmark of one matrix-vector product, which is what `zknn` does without a command.

use super::progress::step;
use super::{memory, output};
use miette::{Diagnostic, Report};
use ndarray::Array1;
use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tracing::{debug, info, info_span};
use zknn::artifact::Options;
use zknn::circuit::NaiveMatVec;
use zknn::compile;
use zknn::matvec::{MAX_COEFFICIENT_BITS, MatVec, Method, Size, fits, memory as estimated_memory};
use zknn::plan::{Cost, Plan};

/// The options of the benchmark. None has a default here, so that it shows which were given.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Benchmark, without a command")]
pub(super) struct Args {
    /// Elements of the vector [default with --bench: 1000]
    #[arg(long, value_name = "N")]
    input_size: Option<usize>,

    /// Elements of the product; with --bench, of the first one [default with --bench: 125]
    #[arg(long, value_name = "N")]
    output_size: Option<usize>,

    /// Measure products of growing output size, each twice as large as the last
    #[arg(long)]
    bench: bool,

    /// The output size that --bench stops at [default: 1000]
    #[arg(long, value_name = "N", requires = "bench")]
    max_output_size: Option<usize>,

    /// Bits of each coefficient of matrix and vector [default: 16]
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_COEFFICIENT_BITS)))]
    coefficient_bits: Option<u32>,

    /// What the random coefficients are drawn from [default: 0]
    #[arg(long)]
    seed: Option<u64>,

    /// Prove with a circuit of one multiplication a weight instead, without zero knowledge: the baseline
    #[arg(long)]
    naive: bool,
}

const BENCH_INPUTS: usize = 1000;
const BENCH_FIRST_OUTPUTS: usize = 125;
const BENCH_MAX_OUTPUTS: usize = 1000;
const COEFFICIENT_BITS: u32 = 16;

impl Args {
    /// The first option that was given.
    pub(super) fn any(&self) -> Option<&'static str> {
        let given = [
            (self.bench, "--bench"),
            (self.input_size.is_some(), "--input-size"),
            (self.output_size.is_some(), "--output-size"),
            (self.coefficient_bits.is_some(), "--coefficient-bits"),
            (self.seed.is_some(), "--seed"),
            (self.naive, "--naive"),
        ];
        given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
    }

    /// The first option that is needed, and was not given.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match (self.bench, self.input_size, self.output_size) {
            (false, None, _) => Some("--input-size"),
            (false, Some(_), None) => Some("--output-size"),
            (true, _, _) | (false, Some(_), Some(_)) => None,
        }
    }

    pub(super) fn run(self) -> Result<ExitCode, Report> {
        let method = if self.naive { Method::Naive } else { Method::Compiled };
        let sizes = self.sizes();
        // All of them, before the first takes its time.
        for size in &sizes {
            size.check(method, memory::available())?;
        }
        output::result(HEADER)?;
        for size in sizes {
            let product = step("draw the coefficients", || MatVec::random(size, self.seed.unwrap_or(0)))?;
            info!(inputs = size.inputs, outputs = size.outputs, bits = size.bits, ?method, "a product");
            let row = match method {
                Method::Compiled => compiled(&product)?,
                Method::Naive => naive(&product)?,
            };
            output::result(&row.to_string())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The sizes to measure, in order.
    fn sizes(&self) -> Vec<Size> {
        let bits = self.coefficient_bits.unwrap_or(COEFFICIENT_BITS);
        let inputs = self.input_size.unwrap_or(BENCH_INPUTS);
        let first = self.output_size.unwrap_or(BENCH_FIRST_OUTPUTS);
        let last = if self.bench { self.max_output_size.unwrap_or(BENCH_MAX_OUTPUTS) } else { first };
        // Nothing doubled is nothing: that size is there once, for the check to refuse it.
        let doubled = |&outputs: &usize| outputs.checked_mul(2).filter(|&next| outputs < next && next <= last);
        let outputs = std::iter::successors(Some(first.min(last)), doubled);
        outputs.map(|outputs| Size { inputs, outputs, bits }).collect()
    }
}

const HEADER: &str = "input_size,output_size,build_time_s,proof_time_s,proof_mem_b,proof_size_b,verify_time_s";

/// What one product took.
struct Row {
    size: Size,
    build: Duration,
    prove: Duration,
    /// The most that the process held in memory while it proved, the circuit included; `None` if that is not known.
    memory_bytes: Option<u64>,
    proof_bytes: usize,
    verify: Duration,
}

impl fmt::Display for Row {
    /// As [`HEADER`] says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { inputs, outputs, .. } = self.size;
        let [build, prove, verify] = [self.build, self.prove, self.verify].map(|time| time.as_secs_f64());
        let memory = self.memory_bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        write!(f, "{inputs},{outputs},{build:.6},{prove:.6},{memory},{},{verify:.6}", self.proof_bytes)
    }
}

/// A proof of something else than the product that a plain program computes.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the proof states another product than the matrix gives")]
#[diagnostic(code(zknn::matvec::wrong_product), help("this is a bug in zknn: please report it with the options"))]
struct WrongProduct;

/// The way of every model.
fn compiled(product: &MatVec) -> Result<Row, Report> {
    let size = product.size();
    let options = Options::default();
    let graph = product.graph()?;
    // Memory is short before time is: the plan tells in a moment.
    let plan = Plan::new(&graph, options.claims(), options.scheme).map_err(zknn::CompileError::Plan)?;
    let needed = estimated_memory(size, &Cost::of(&plan.layout));
    drop(plan);
    debug!(bytes = needed, "estimated memory");
    fits(size, needed, memory::available())?;

    let (circuit, build) = timed("compile", || compile(graph, options));
    let circuit = circuit?;
    let input = product.tensor();
    memory::reset_peak();
    let (proof, prove) = timed("prove", || circuit.prove(&input));
    let memory_bytes = memory::peak();
    let proof = proof?;
    let (statement, verify) = timed("verify", || zknn::verify(circuit.key(), &proof));
    let stated = statement?.output().integers().cloned().unwrap_or_default();
    check(product, stated.into_iter())?;
    Ok(Row { size, build, prove, memory_bytes, proof_bytes: proof.proof.len(), verify })
}

/// The baseline.
fn naive(product: &MatVec) -> Result<Row, Report> {
    let naive_step = |name| info_span!("naive", step = name);
    let size = product.size();
    let (circuit, build) =
        timed("compile", || naive_step("compile").in_scope(|| NaiveMatVec::new(product.weights().view())));
    let input: Vec<i64> = product.input().to_vec();
    memory::reset_peak();
    let (proof, prove) = timed("prove", || naive_step("prove").in_scope(|| circuit.prove(&input)));
    let memory_bytes = memory::peak();
    let proof = proof.map_err(zknn::ProofError::System)?;
    let (stated, verify) = timed("verify", || naive_step("verify").in_scope(|| circuit.verify(&proof)));
    check(product, stated.map_err(zknn::RejectError::Proof)?.into_iter())?;
    Ok(Row { size, build, prove, memory_bytes, proof_bytes: proof.len(), verify })
}

fn timed<T>(what: &'static str, work: impl FnOnce() -> T) -> (T, Duration) {
    step(what, || {
        let start = Instant::now();
        let result = work();
        (result, start.elapsed())
    })
}

fn check(product: &MatVec, stated: impl Iterator<Item = i64>) -> Result<(), WrongProduct> {
    let stated: Array1<i64> = stated.collect();
    if stated == product.product() { Ok(()) } else { Err(WrongProduct) }
}
