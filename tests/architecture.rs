//! The order of the modules: who may name whom. Dependencies point one way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A part of a crate, and the parts that it may name.
type Layer = (&'static str, &'static [&'static str]);

/// Each part of the library. `main.rs`, `cli`, `lib.rs`, `announcement`, `audit`, `error` and `pipeline` may name any.
const LAYERS: &[Layer] = &[
    ("front", &[]),
    ("nn", &["front", "input"]),
    ("passes", &[]),
    ("diagnose", &["front", "passes"]),
    ("input", &[]),
    ("lowering", &["front", "passes", "diagnose"]),
    ("evaluate", &["input", "saturation"]),
    ("rounding", &["evaluate", "input", "passes"]),
    ("saturation", &[]),
    ("bits", &["evaluate", "front", "lowering", "passes", "plan", "rounding"]),
    ("plan", &[]),
    ("circuit", &["plan"]),
    ("artifact", &["plan"]),
    ("calibrated", &["artifact", "passes", "rounding"]),
    ("matvec", &["circuit", "plan"]),
];

/// Each part of the verifier, a crate of its own. `lib.rs` and `verify` may name any.
const VERIFIER_LAYERS: &[Layer] = &[
    ("gadget", &[]),
    ("security", &["gadget"]),
    ("visibility", &[]),
    ("row", &["gadget", "security"]),
    ("circuit", &["gadget", "row", "security"]),
    ("artifact", &["circuit", "gadget", "security", "visibility"]),
];

/// The sources of the library and of the verifier, and their parts.
const CRATES: [(&str, &[Layer]); 2] = [("src", LAYERS), ("verifier/src", VERIFIER_LAYERS)];

/// The parts that may name plonky2.
const PROOF_SYSTEM: &[&str] = &["gadget", "circuit", "artifact"];

/// What the verifier must do without: threads, and what a processor may not have.
const NOT_IN_THE_VERIFIER: &[&str] = &["rayon", "wide", "safe_arch", "zknn", "zknn-ir", "clap", "tracing", "indicatif"];

/// Modules that only tests are built with.
const TEST_MODULES: &[&str] = &["circuit/zero_knowledge", "plan/interval.rs"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The source lines of a part that are code, tests excluded: they may use whatever helps.
fn code(src: &str, part: &str) -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(src);
    // Seen from the source folder: wherever that lies, its own name says nothing.
    let files = sources(&src).into_iter().map(|path| path.strip_prefix(&src).expect("it lies there").to_path_buf());
    let is_test = |path: &PathBuf| {
        path.to_string_lossy().contains("test") || TEST_MODULES.iter().any(|module| path.starts_with(module))
    };
    let own = |path: &PathBuf| {
        let first = path.iter().next();
        first.is_some_and(|name| name == part || *name == *format!("{part}.rs"))
    };
    files
        .filter(|path| own(path) && !is_test(path))
        .flat_map(|path| {
            let text = fs::read_to_string(src.join(&path)).expect("a source file");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_string();
            let lines: Vec<String> = code.lines().map(str::to_string).collect();
            lines.into_iter().map(move |line| (path.clone(), line))
        })
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    for (src, layers) in CRATES {
        for (part, allowed) in layers {
            let lines = code(src, part);
            assert!(!lines.is_empty(), "there is no part `{part}`");
            for (path, line) in lines {
                for (other, _) in layers.iter().filter(|(other, _)| other != part && !allowed.contains(other)) {
                    assert!(!line.contains(&format!("crate::{other}")), "{}: `{part}` names `{other}`", path.display());
                }
                assert!(!line.contains("crate::pipeline"), "{}: `{part}` names the pipeline", path.display());
            }
        }
    }
}

#[test]
fn the_proof_system_is_named_in_few_places() {
    for (src, layers) in CRATES {
        for (part, _) in layers.iter().filter(|(part, _)| !PROOF_SYSTEM.contains(part)) {
            for (path, line) in code(src, part) {
                assert!(!line.contains("plonky2"), "{}: {line}", path.display());
            }
        }
    }
    for part in ["announcement", "cli", "error", "pipeline", "audit", "main"] {
        for (path, line) in code("src", part) {
            assert!(!line.contains("plonky2"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn the_ir_stands_alone() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("ir/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("a manifest");
    let dependencies: Vec<&str> = manifest.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    for foreign in ["plonky2", "clap", "serde_json", "zknn ="] {
        assert!(dependencies.iter().all(|line| !line.starts_with(foreign)), "the IR depends on {foreign}");
    }
}

/// Whatever else is built, a verifier alone has no prover, no threads and no vectors; and so where it is built for a browser.
#[test]
fn the_verifier_stands_alone() {
    for target in [&[][..], &["--target", "wasm32-unknown-unknown"]] {
        let tree = ["tree", "--locked", "--package", "zknn-verifier", "--edges", "normal", "--prefix", "none"];
        let output = Command::new(env!("CARGO")).args(tree).args(target).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).expect("names of packages");
        let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.contains(&"plonky2") && names.contains(&"zknn-verifier"), "{tree}");
        for foreign in NOT_IN_THE_VERIFIER {
            assert!(!names.contains(foreign), "the verifier depends on {foreign}");
        }
    }
}

/// Each part has its line above, or is one of those that may name any.
#[test]
fn no_part_is_left_out() {
    const ANY: &[&str] = &["announcement", "audit", "cli", "error", "lib", "main", "pipeline", "snapshots", "verify"];
    for (src, layers) in CRATES {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(src)).expect("a folder") {
            let name = entry.expect("an entry").path().with_extension("");
            let name = name.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let has_layer = layers.iter().any(|(part, _)| *part == name);
            assert!(ANY.contains(&name.as_str()) || has_layer, "`{name}` has no layer");
        }
    }
}

/// `.cargo/config.toml` says which cases `cargo test` draws.
#[test]
fn property_tests_draw_the_same_cases_in_each_run() {
    let config = proptest::test_runner::Config::default();
    assert_ne!(config.rng_seed, proptest::test_runner::RngSeed::Random, "PROPTEST_RNG_SEED is not set, or no number");
}
