//! The cases of the YAML test suite, which a YAML module for Go carries, asked
//! of ko: what both of us accept is the same data; what only ko refuses is valid
//! YAML, and what only we refuse is not.

use crate::go;
use crate::support::{self, Ours, Verdict};

const MODULE: &str = "github.com/goccy/go-yaml@v1.18.0";

/// Scalars that are a document and start on the line of `---`, or whose first
/// line starts with it, or that are not indented: no Kubernetes object, and no
/// stream of lines that `kubectl` could split.
const SCALAR_DOCUMENTS: [&str; 4] = [
    "three-dashes-and-content-without-space",
    "three-dashes-and-content-without-space-1-3",
    "zero-indented-block-scalar",
    "zero-indented-block-scalar-with-line-that-looks-like-a-comment",
];

#[test]
fn we_differ_from_ko_only_where_ko_differs_from_the_specification() {
    let directory = go::module(MODULE).join("testdata/yaml-test-suite");
    let mut cases = Vec::new();
    let mut ours: Vec<Ours> = Vec::new();
    for (path, text) in support::texts(&directory, &|name| name == "in.yaml") {
        let case = path.parent().unwrap();
        let is_yaml = !case.join("error").exists();
        let name = case.strip_prefix(&directory).unwrap().to_str().unwrap().to_owned();
        cases.push((name, is_yaml));
        ours.push(support::ours(&[&text], None));
        support::assert_same_on_threads(&text);
        support::assert_same_on_threads(&format!("a\n---\n{text}"));
    }
    assert!(ours.len() > 350, "only {} cases", ours.len());
    for ((name, is_yaml), verdict) in cases.iter().zip(support::verdicts(&ours)) {
        let is_right = match &verdict {
            Verdict::Same => true,
            Verdict::BothRefuse | Verdict::OnlyWeRefuse(_) => !is_yaml,
            Verdict::OnlyKoRefuses(_) => *is_yaml,
            Verdict::Different(_) => SCALAR_DOCUMENTS.contains(&name.as_str()),
        };
        assert!(
            is_right,
            "{name}, which is{} YAML: {verdict:?}",
            if *is_yaml { "" } else { " not" }
        );
    }
}
