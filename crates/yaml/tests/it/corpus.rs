//! Real manifests, from public Go modules, with references planted in each.

use crate::go;
use crate::support::{self, Ours};
use std::sync::LazyLock;

const MODULES: [&str; 8] = [
    "github.com/cert-manager/cert-manager@v1.19.1",
    "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    "github.com/tektoncd/pipeline@v1.9.0",
    "k8s.io/kubernetes@v1.34.4",
    "knative.dev/eventing@v0.46.0",
    "knative.dev/serving@v0.46.0",
    "sigs.k8s.io/cluster-api@v1.11.0",
    "sigs.k8s.io/gateway-api@v1.4.0",
];

/// The fewest files that make this a corpus.
const FEWEST: usize = 1_500;

/// Whether ko refuses what YAML allows: `\\/` in double quotes, and a key of a
/// flow mapping without a value before a line that is indented less.
fn is_too_strict(reason: &str) -> bool {
    reason.contains("found unknown escape character")
        || reason.contains("did not find expected ',' or '}'")
}

/// What replaces the value of `key: value`, and what it is to become: as lines,
/// the first of which follows `key: `. `R` is the reference, `I` the image, `_`
/// the indentation of the key.
const FORMS: [(&[&str], &[&str]); 11] = [
    (&["R"], &["I"]),
    (&["'R' # c"], &["'I' # c"]),
    (&["\"R\""], &["\"I\""]),
    (&["|", "_  R"], &["|-", "_  I"]),
    (&[">  # c", "_   R"], &[">-  # c", "_   I"]),
    (&["|+", "_ R", ""], &["|-", "_ I", ""]),
    (&[">-", "_  R"], &[">-", "_  I"]),
    (&["[R, {R: 'R'}]"], &["[I, {I: 'I'}]"]),
    (&["&planted R"], &["&planted I"]),
    (&["!!str R"], &["!!str I"]),
    (&["{\"R\": \"R\"  }"], &["{\"I\": \"I\"  }"]),
];

/// A text with references and what it is to become, line by line. Where a line
/// is no YAML of its own but part of a string, it has to stay.
#[derive(Default)]
struct Planted {
    text: Vec<String>,
    expected: Vec<String>,
    count: usize,
}

impl Planted {
    fn plant(&mut self, indent: &str, key: &str) {
        let (before, after) = FORMS[self.count % FORMS.len()];
        let reference = format!("ko://example.com/corpus/cmd{}", self.count);
        let image = go::image(&reference);
        let fill =
            |line: &str| line.replace('_', indent).replace('R', &reference).replace('I', &image);
        for (i, (before, after)) in before.iter().zip(after).enumerate() {
            let key = if i == 0 { format!("{indent}{key}: ") } else { String::new() };
            self.text.push(key.clone() + &fill(before));
            self.expected.push(key + &fill(after));
        }
        self.count += 1;
    }

    /// A line as it is; some have references of their own.
    fn keep(&mut self, line: &str) {
        let expected = line.find("ko://").map(|at| {
            let end = line[at..].find([' ', '"', '\'']).map_or(line.len(), |length| at + length);
            format!("{}{}{}", &line[..at], go::image(&line[at..end]), &line[end..])
        });
        self.text.push(line.to_owned());
        self.expected.push(expected.unwrap_or_else(|| line.to_owned()));
    }
}

/// Plants references in place of every fourth simple value and, at the end, one
/// of every form, as a document of its own.
fn planted(text: &str) -> Planted {
    let mut planted = Planted::default();
    let mut values = 0;
    let text = text.replace("\r\n", "\n");
    for line in text.lines() {
        let indent = &line[..line.len() - line.trim_start_matches(' ').len()];
        let simple = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_lowercase())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./".contains(&b))
        };
        let entry = line.trim_start_matches(' ').split_once(": ");
        match entry.filter(|(key, value)| simple(key) && simple(value)) {
            Some((key, _))
                if {
                    values += 1;
                    values % 4 == 0
                } =>
            {
                planted.plant(indent, key);
            }
            _ => planted.keep(line),
        }
    }
    planted.keep("---");
    for _ in 0..FORMS.len() {
        let key = format!("planted{}", planted.count);
        planted.plant("", &key);
    }
    planted
}

/// The texts of all manifests, found once.
fn corpus() -> &'static [String] {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let is_manifest =
            |name: &str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
        let texts = |module| support::texts(&go::module(module), &is_manifest);
        MODULES.into_iter().flat_map(texts).map(|(_, text)| text).collect()
    });
    assert!(TEXTS.len() >= FEWEST, "only {} files", TEXTS.len());
    &TEXTS
}

#[test]
fn real_manifests_with_references_are_kos_as_data_and_ours_as_bytes() {
    let texts: Vec<Planted> = corpus().iter().map(|text| planted(text)).collect();
    let mut all: Vec<Ours> = Vec::new();
    let mut replaced = 0;
    for planted in &texts {
        // With and without a line break at the end.
        let text = planted.text.join("\n") + if all.len().is_multiple_of(2) { "\n" } else { "" };
        let ours = support::ours(&[&text], None);
        if ours.references.is_ok() {
            let (_, output) = &ours.case.files[0];
            let lines: Vec<&str> = output.lines().collect();
            let before: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), before.len(), "{text}");
            for ((line, before), expected) in lines.iter().zip(&before).zip(&planted.expected) {
                assert!(line == before || line == expected, "{before:?} became {line:?}");
                replaced += usize::from(line != before);
            }
        }
        all.push(ours);
    }
    let refused = support::compare(&all, &is_too_strict);
    // Templates are among the files; by far most are YAML, and were changed.
    assert!(all.len() - refused >= FEWEST, "{refused} of {} are refused", all.len());
    assert!(replaced > 10 * FEWEST, "only {replaced} lines changed");
}

#[test]
fn real_manifests_without_references_stay_as_they_are() {
    for text in corpus() {
        if let Ok(file) = support::parse(text)
            && file.references().is_empty()
        {
            assert_eq!(&support::splice(&file), text);
        }
    }
}

#[test]
fn real_manifests_are_the_same_on_several_threads() {
    for text in corpus().iter().map(|text| planted(text).text.join("\n")) {
        support::assert_same_on_threads(&text);
    }
}

#[test]
fn real_manifests_are_selected_as_ko_selects_them() {
    let selectors =
        ["app", "!app", "app.kubernetes.io/component=controller", "kubernetes.io/bootstrapping!=x"];
    let ours: Vec<Ours> = corpus()
        .iter()
        .enumerate()
        .map(|(i, text)| support::ours(&[text], Some(selectors[i % selectors.len()])))
        .collect();
    support::compare(&ours, &is_too_strict);
}
