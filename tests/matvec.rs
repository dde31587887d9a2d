//! The benchmark of one matrix-vector product, from outside.

use std::process::{Command, Output, Stdio};

const HEADER: &str = "input_size,output_size,build_time_s,proof_time_s,proof_mem_b,proof_size_b,verify_time_s";
const SMALL: [&str; 4] = ["--input-size", "20", "--output-size", "10"];

fn zknn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zknn")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// The rows that a run prints below the header, and what it logs.
fn rows(args: &[&str]) -> (Vec<Vec<f64>>, String) {
    let output = zknn(args);
    let logs = text(output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {logs}");
    let stdout = text(output.stdout);
    let mut lines = stdout.lines();
    assert_eq!(lines.next(), Some(HEADER));
    let row = |line: &str| line.split(',').map(|field| field.parse().unwrap()).collect();
    (lines.map(row).collect(), logs)
}

/// What a run that is refused tells: no header, no panic.
fn refusal(args: &[&str]) -> String {
    let output = zknn(args);
    let told = text(output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(output.stdout.is_empty() && !told.contains("panicked"), "{args:?}: {told}");
    told
}

#[test]
fn a_product_is_measured_either_way() {
    for method in [&[][..], &["--naive"]] {
        let (rows, logs) = rows(&with(&SMALL, method));
        let [row] = &rows[..] else { panic!("one row, got {rows:?}") };
        assert_eq!((row.len(), row[0], row[1]), (7, 20.0, 10.0));
        assert!(row[2..].iter().all(|&figure| figure > 0.0), "{row:?}");
        assert_eq!(logs, "");
    }
}

#[test]
fn proofs_of_one_seed_are_equally_large() {
    let size = |seed| rows(&with(&SMALL, &["--seed", seed, "--threads", "1"])).0[0][5];
    assert_eq!(size("7"), size("7"));
    // The numbers differ, but not how many there are.
    assert_eq!(size("7"), size("8"));
}

#[test]
fn bench_doubles_the_output_size() {
    let args = ["--bench", "--input-size", "10", "--output-size", "3", "--max-output-size", "13"];
    let (rows, _) = rows(&with(&args, &["--coefficient-bits", "4"]));
    let outputs: Vec<f64> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(outputs, [3.0, 6.0, 12.0]);
    // A size to start at that is past the end is cut back to it.
    let args = ["--bench", "--input-size", "10", "--max-output-size", "2"];
    let (rows, _) = self::rows(&args);
    assert_eq!(rows.iter().map(|row| row[1]).collect::<Vec<_>>(), [2.0]);
}

#[test]
fn logs_grow_with_each_v() {
    let logs = |flag| rows(&with(&SMALL, &[flag])).1;
    let (info, debug, trace) = (logs("-v"), logs("-vv"), logs("-vvv"));
    assert!(info.contains("INFO") && !info.contains("DEBUG"), "{info}");
    assert!(debug.contains("DEBUG") && !debug.contains("TRACE"), "{debug}");
    assert!(trace.contains("TRACE"), "{trace}");
    // What the proof system says is logged too.
    let (_, naive) = rows(&with(&SMALL, &["--naive", "-vv"]));
    assert!(naive.contains("plonky2::"), "{naive}");
}

#[test]
fn impossible_sizes_are_refused_before_the_work() {
    let told = |inputs: &str, outputs: &str, more: &[&str]| {
        let args = ["--input-size", inputs, "--output-size", outputs];
        refusal(&with(&args, more))
    };
    for method in [&[][..], &["--naive"]] {
        for (inputs, outputs) in [("0", "10"), ("10", "0")] {
            assert!(told(inputs, outputs, method).contains("zknn::matvec::empty"));
        }
        let huge = usize::MAX.to_string();
        assert!(told(&huge, &huge, method).contains("zknn::matvec::too_many_weights"));
        assert!(told("1000000", "1000", method).contains("zknn::matvec::too_many_weights"));
        let bits = with(method, &["--coefficient-bits", "32"]);
        assert!(told("20", "10", &bits).contains("zknn::matvec::overflow"));
    }
    assert!(told("1", "99999999999999999999", &[]).contains("--output-size"));
    assert!(refusal(&with(&SMALL, &["--coefficient-bits", "33"])).contains("1..=32"));
    assert!(refusal(&["--bench", "--output-size", "0"]).contains("zknn::matvec::empty"));
    assert!(refusal(&["--bench", "--max-output-size", "0"]).contains("zknn::matvec::empty"));
}

/// No machine that tests run on has the 35 TiB that the baseline would take.
#[cfg(target_os = "linux")]
#[test]
fn a_size_past_the_memory_is_refused_before_the_work() {
    let args = ["--naive", "--input-size", "16384", "--output-size", "16384"];
    let told = refusal(&args);
    assert!(told.contains("zknn::matvec::memory") && told.contains("GiB"), "{told}");
    // The last size counts before the first is measured.
    let told = refusal(&["--bench", "--naive", "--input-size", "16384", "--max-output-size", "16384"]);
    assert!(told.contains("zknn::matvec::memory"), "{told}");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    for args in [
        &["--input-size", "20"][..],
        &["--output-size", "10"],
        &["--seed", "1"],
        &["--naive"],
        &["-v"],
        &["--threads", "0"],
        &["--max-output-size", "9"],
        &["--input-size", "20", "plan", "testdata/models/tiny_mlp.json"],
    ] {
        refusal(args);
    }
    // The options that all commands have may stand on either side of one.
    for args in [&["-v", "plan"][..], &["plan", "-v"], &["--threads", "1", "plan"], &["plan", "--threads", "1"]] {
        let args = with(args, &["testdata/models/tiny_mlp.json"]);
        assert_eq!(zknn(&args).status.code(), Some(0), "{args:?}");
    }
}
