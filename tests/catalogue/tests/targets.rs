//! A library that is said to have no tests, or no examples that are tested, has none: `cargo test`
//! does not compile what is not there to be run, and this keeps it from passing over what is.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the packages of the workspace, with their manifests.
fn packages() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![catalogue::root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name == "Cargo.toml" {
                found.push((folder.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// Calls `with` for each source below a folder.
fn sources(folder: &Path, with: &mut dyn FnMut(&Path, &str)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, with);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            with(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether a text has a block of code in its documentation that rustdoc would compile.
fn has_example(text: &str) -> bool {
    let mut inside = false;
    for line in text.lines().map(str::trim_start) {
        let Some(fence) = ["/// ```", "//! ```"].iter().find_map(|mark| line.strip_prefix(mark))
        else {
            continue;
        };
        if !inside && !["text", "ignore", "c", "toml"].contains(&fence) {
            return true;
        }
        inside = !inside;
    }
    false
}

#[test]
fn what_is_switched_off_is_not_there() {
    let mut switched_off = 0;
    for (folder, manifest) in packages() {
        let library = manifest.split("[lib]\n").nth(1).unwrap_or_default();
        let library = library.split("\n\n").next().unwrap_or_default();
        let says = |line| library.lines().any(|found| found == line);
        let (unit_tests, examples) = (says("test = false"), says("doctest = false"));
        sources(&folder.join("src"), &mut |path, text| {
            assert!(!(unit_tests && text.contains("#[test]")), "{} has tests", path.display());
            assert!(!(examples && has_example(text)), "{} has an example", path.display());
        });
        switched_off += usize::from(unit_tests) + usize::from(examples);
    }
    assert!(switched_off > 10, "the manifests are not read");
}
