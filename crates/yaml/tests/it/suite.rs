//! The cases of the YAML test suite, which a YAML module for Go carries, asked
//! of ko: what it accepts, we accept, and it is the same data.

use std::fs;

use crate::go;
use crate::support::{self, Ours};

const MODULE: &str = "github.com/goccy/go-yaml@v1.18.0";

/// Cases that ko's reader refuses although they are YAML, by the directory of
/// the suite; we take them.
const ONLY_OURS: [&str; 0] = [];

#[test]
fn what_ko_accepts_of_the_suite_we_accept_as_the_same_data() {
    let directory = go::module(MODULE).join("testdata/yaml-test-suite");
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut ours: Vec<Ours> = Vec::new();
    for path in names {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(text) = fs::read_to_string(path.join("in.yaml")) else { continue };
        if !ONLY_OURS.contains(&name.as_str()) {
            ours.push(support::ours(&[&text], None));
        }
    }
    assert!(ours.len() > 350, "only {} cases", ours.len());
    let refused = support::compare(&ours);
    assert!(refused > 50, "only {refused} refused");
}
