//! The order of the modules: who may name whom. Dependencies point one way.

use std::fs;
use std::path::{Path, PathBuf};

/// Each part of the library, and the parts that it may name. `main.rs`, `cli`, `lib.rs`, `announcement`, `audit` and `pipeline` may name
/// any.
const LAYERS: &[(&str, &[&str])] = &[
    ("front", &[]),
    ("nn", &["front"]),
    ("passes", &[]),
    ("diagnose", &["front", "passes"]),
    ("input", &[]),
    ("lowering", &["front", "passes", "diagnose"]),
    ("evaluate", &["front", "input"]),
    ("rounding", &["evaluate", "front", "input"]),
    ("gadget", &[]),
    ("plan", &["gadget"]),
    ("circuit", &["gadget", "plan"]),
    ("artifact", &["circuit", "gadget", "plan"]),
    ("matvec", &["circuit", "plan"]),
];

/// The parts that may name plonky2.
const PROOF_SYSTEM: &[&str] = &["gadget", "circuit", "artifact"];

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
fn code(part: &str) -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Seen from the source folder: wherever that lies, its own name says nothing.
    let files = sources(&src).into_iter().map(|path| path.strip_prefix(&src).expect("it lies there").to_path_buf());
    let is_test =
        |path: &PathBuf| path.to_string_lossy().contains("test") || path.starts_with("circuit/zero_knowledge");
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
    for (part, allowed) in LAYERS {
        let lines = code(part);
        assert!(!lines.is_empty(), "there is no part `{part}`");
        for (path, line) in lines {
            for (other, _) in LAYERS.iter().filter(|(other, _)| other != part && !allowed.contains(other)) {
                assert!(!line.contains(&format!("crate::{other}")), "{}: `{part}` names `{other}`", path.display());
            }
            assert!(!line.contains("crate::pipeline"), "{}: `{part}` names the pipeline", path.display());
        }
    }
}

#[test]
fn the_proof_system_is_named_in_few_places() {
    for (part, _) in LAYERS.iter().filter(|(part, _)| !PROOF_SYSTEM.contains(part)) {
        for (path, line) in code(part) {
            assert!(!line.contains("plonky2"), "{}: {line}", path.display());
        }
    }
    for part in ["announcement", "cli", "pipeline", "audit", "main"] {
        for (path, line) in code(part) {
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

/// Each part has its line above, or is one of those that may name any.
#[test]
fn no_part_is_left_out() {
    const ANY: &[&str] = &["announcement", "audit", "cli", "lib", "main", "pipeline", "snapshots"];
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("a folder") {
        let name = entry.expect("an entry").path().with_extension("");
        let name = name.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        assert!(ANY.contains(&name.as_str()) || LAYERS.iter().any(|(part, _)| *part == name), "`{name}` has no layer");
    }
}

/// `.cargo/config.toml` says which cases `cargo test` draws.
#[test]
fn property_tests_draw_the_same_cases_in_each_run() {
    let config = proptest::test_runner::Config::default();
    assert_ne!(config.rng_seed, proptest::test_runner::RngSeed::Random, "PROPTEST_RNG_SEED is not set, or no number");
}
