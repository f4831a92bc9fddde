//! Every file of every corpus that is kept, through its target: what was found once is not found
//! again. And every target has its file, its entry in the manifest and its corpus.

use fuzz_harness::{Target, Telling, run};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

#[test]
fn the_corpora_find_nothing() {
    let mut files = 0;
    for target in Target::all() {
        let corpus = folder().join("corpus").join(target.name());
        let entries = std::fs::read_dir(&corpus).unwrap_or_else(|error| {
            panic!("{}: {error}: every target has a corpus", corpus.display())
        });
        for entry in entries {
            let path = entry.unwrap().path();
            let found = run(target, &std::fs::read(&path).unwrap(), Telling::Nothing);
            if let Err(found) = found {
                panic!("{}: {found}", path.display());
            }
            files += 1;
        }
    }
    assert!(files >= Target::all().count(), "{files} files");
}

#[test]
fn every_target_is_in_the_manifest_and_has_its_file() {
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for target in Target::all() {
        let name = target.name();
        let within = if matches!(target, Target::Call(_)) { "calls/" } else { "" };
        let path = format!("fuzz_targets/{within}{name}.rs");
        let binary = format!("name = \"{name}\"\npath = \"{path}\"\n");
        assert!(manifest.contains(&binary), "fuzz/Cargo.toml has no binary {name} of {path}");
        assert!(folder().join(&path).is_file(), "fuzz/{path} is not there");
    }
}
