//! Random texts: whatever they are, nothing panics; where they are YAML,
//! splicing is replacing in the data, and outputs can be joined.

use ko_yaml::{File, Mode, Selector, Source};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::{self, events, manifest, parse, splice_with};

/// A random document.
#[derive(Debug, Clone)]
enum Tree {
    /// A scalar: a reference or not, in the style of this number, or nothing at all.
    Scalar(bool, u8),
    Sequence(Vec<Tree>, bool),
    Mapping(Vec<(bool, Tree)>, bool),
}

fn tree() -> impl Strategy<Value = Tree> {
    let scalar = (any::<bool>(), any::<u8>())
        .prop_map(|(is_reference, style)| Tree::Scalar(is_reference, style));
    scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..5), any::<bool>())
                .prop_map(|(items, flow)| Tree::Sequence(items, flow)),
            (vec((any::<bool>(), inner), 0..5), any::<bool>())
                .prop_map(|(entries, flow)| Tree::Mapping(entries, flow)),
        ]
    })
}

/// Writes trees; counts scalars, so that each has a name of its own.
#[derive(Default)]
struct Writer {
    text: String,
    count: usize,
}

impl Writer {
    fn word(&mut self, is_reference: bool) -> String {
        self.count += 1;
        if is_reference {
            format!("ko://x.io/c{}", self.count)
        } else {
            format!("word {}", self.count)
        }
    }

    fn flow_scalar(&mut self, is_reference: bool, style: u8) -> String {
        let word = self.word(is_reference);
        match style % 9 {
            0 | 1 => word,
            2 => format!("'{word}'"),
            3 => format!("\"{word}\""),
            4 => format!("\"\\x{:02x}{}\"", word.as_bytes()[0], &word[1..]),
            5 => format!("&a{} {word}", self.count),
            6 => format!("!!str {word}"),
            7 => format!("!foo '{word}'"),
            _ => format!("\"{word}  \""),
        }
    }

    fn flow(&mut self, tree: &Tree) -> String {
        match tree {
            Tree::Scalar(is_reference, style) => self.flow_scalar(*is_reference, *style),
            Tree::Sequence(items, _) => {
                let items: Vec<String> = items.iter().map(|item| self.flow(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Tree::Mapping(entries, _) => {
                let mut out = Vec::new();
                for (is_reference, value) in entries {
                    let key = self.word(*is_reference);
                    out.push(format!("{key}: {}", self.flow(value)));
                }
                format!("{{ {} }}", out.join(" ,"))
            }
        }
    }

    /// Writes a node after `key:` or `-` or at the start of a document, with a
    /// line break at its end.
    fn node(&mut self, tree: &Tree, indent: usize) {
        let blanks = " ".repeat(indent);
        match tree {
            Tree::Scalar(_, style) if style % 11 == 0 => self.text.push('\n'),
            Tree::Scalar(is_reference, style) if style % 3 == 0 => {
                let word = self.word(*is_reference);
                let header = ["|", "|-", "|+", ">", ">-", ">+", "> # c", "&b |", "!!str >", "|2"];
                let header = header[usize::from(style / 3) % header.len()];
                let blanks = if header == "|2" { " ".repeat(2) } else { format!("{blanks}  ") };
                let header = if header == "|2" && indent > 0 { "|" } else { header };
                let blanks = if indent > 0 { " ".repeat(indent + 2) } else { blanks };
                let ends = ["\n", "\n\n", "  \n", "\n \n"];
                self.text +=
                    &format!(" {header}\n{blanks}{word}{}", ends[usize::from(style / 7) % 4]);
            }
            Tree::Scalar(is_reference, style) => {
                let scalar = self.flow_scalar(*is_reference, *style);
                self.text +=
                    &format!(" {scalar}{}\n", if style % 2 == 0 { "" } else { "  # ko://c" });
            }
            Tree::Sequence(items, false) if !items.is_empty() => {
                self.text.push('\n');
                for item in items {
                    self.text += &format!("{blanks}-");
                    self.node(item, indent + 2);
                }
            }
            Tree::Mapping(entries, false) if !entries.is_empty() => {
                self.text.push('\n');
                for (is_reference, value) in entries {
                    let key = self.word(*is_reference);
                    self.text += &format!("{blanks}{key}:");
                    self.node(value, indent + 2);
                }
            }
            flow => {
                let flow = self.flow(flow);
                self.text += &format!(" {flow}\n");
            }
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    (vec(tree(), 1..4), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(trees, carriage, mark, open)| {
            let mut writer = Writer::default();
            for tree in &trees {
                writer.text += "---";
                writer.node(tree, 0);
            }
            let mut text = writer.text;
            if open {
                text.truncate(text.trim_end_matches('\n').len());
            }
            if carriage {
                text = text.replace('\n', "\r\n");
            }
            if mark { format!("\u{feff}{text}") } else { text }
        },
    )
}

/// A list of which a selector drops some items.
fn list() -> impl Strategy<Value = String> {
    let item = (tree(), any::<bool>(), any::<bool>());
    (vec(item, 1..6), any::<bool>(), any::<bool>()).prop_map(|(items, carriage, tail)| {
        let mut writer = Writer::default();
        writer.text += "apiVersion: v1\nkind: List\nitems:\n";
        for (tree, labelled, commented) in &items {
            if *commented {
                writer.text += "\n  # about the next\n";
            }
            writer.text += "  - apiVersion: v1\n    kind: A\n";
            if *labelled {
                writer.text += "    metadata:\n      labels: {a: b}\n";
            }
            writer.text += "    data:";
            writer.node(tree, 6);
        }
        if tail {
            writer.text += "# end\nmetadata: {}\n";
        }
        if carriage { writer.text.replace('\n', "\r\n") } else { writer.text }
    })
}

/// The same random values in every run.
fn some<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..400).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn random_files_are_kos() {
    let pairs = some(&(text(), text()));
    let ours: Vec<_> =
        pairs.iter().map(|(first, second)| support::ours(&[first, second], None)).collect();
    assert_eq!(support::compare(&ours, &|_| false), 0);
}

#[test]
fn random_lists_are_selected_as_ko_selects_them() {
    let lists = some(&list());
    let ours: Vec<_> = lists.iter().map(|text| support::ours(&[text], Some("a"))).collect();
    assert_eq!(support::compare(&ours, &|_| false), 0);
}

fn image() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("registry.example.com/a@sha256:00ff".to_owned()),
        "[ -~]{0,12}",
        any::<String>(),
    ]
}

/// Texts that are nearly YAML.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "ko://x/y",
        "'",
        "\"",
        "|",
        ">",
        "+",
        "2",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "# c",
        "---",
        "...",
        "\n---\n",
        "\n...\n",
        "%YAML 1.1",
        "%TAG !e! x",
        "\r",
        "\r\n",
        "\t",
        "\u{feff}",
        "é",
        "\\u006b",
        "\\",
        "? ",
        "apiVersion: v1\n",
        "kind: List\n",
        "kind: A\n",
        "items:\n",
        "- apiVersion: v1\n  kind: A\n",
        "metadata: {labels: {a: b}}\n",
        "items: [",
        "{apiVersion: v1, kind: A}",
        " ",
    ]);
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Everything that can be asked of a text; returns whether it is YAML.
fn exercise(bytes: &[u8]) -> bool {
    for mode in [Mode::Whole, Mode::Embedded] {
        let Ok(file) = File::parse(&Source { name: "-", bytes }, mode) else { return false };
        let text = std::str::from_utf8(bytes).unwrap();
        if file.references().is_empty() {
            assert_eq!(splice_with(&file, "x"), text);
        }
        let mut covered = 0;
        for document in file.documents() {
            assert_eq!(document.range.start, covered);
            covered = document.range.end;
        }
        let spliced = splice_with(&file, "example.com/x");
        let again = File::parse(&Source { name: "-", bytes: spliced.as_bytes() }, mode);
        let again = again.unwrap_or_else(|error| panic!("{text:?} became {spliced:?}: {error}"));
        // What is spliced has nothing left to splice, and as many documents.
        assert!(again.references().is_empty(), "{text:?} became {spliced:?}");
        assert_eq!(again.documents().len(), file.documents().len(), "{text:?}");
        if mode == Mode::Whole {
            assert_replaced(text, &spliced, "example.com/x");
        }
        let stream = file.manifest(|_| "example.com/x".into()).unwrap().to_vec();
        let stream = String::from_utf8(stream.repeat(2)).unwrap();
        assert!(parse(&stream).is_ok(), "{text:?} became {stream:?}");
        for selector in ["a", "!a"] {
            let mut selected = file.clone();
            if selected.select(&Selector::parse(selector).unwrap()).is_ok() {
                let spliced = splice_with(&selected, "example.com/x");
                assert!(parse(&spliced).is_ok(), "{selector} of {text:?}: {spliced:?}");
            }
        }
    }
    true
}

/// Asserts that a splice has put an image in the place of each reference, and
/// has changed nothing else of the data; returns how many there were.
fn assert_replaced(text: &str, spliced: &str, image: &str) -> usize {
    let is_string = |kind: &str| kind.ends_with("None") || kind.contains("\"str\"");
    let mut expected = events(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    let mut count = 0;
    for (kind, scalar) in &mut expected {
        if scalar.starts_with("ko://") && is_string(kind) {
            image.clone_into(scalar);
            count += 1;
        }
    }
    let found = events(spliced).unwrap_or_else(|error| panic!("{error}: {spliced:?}"));
    assert_eq!(found, expected, "{text:?} became {spliced:?}");
    count
}

/// Nearly YAML is YAML often enough for what holds of it to be tried.
#[test]
fn nearly_yaml_is_often_yaml() {
    let taken = some(&soup()).iter().filter(|text| exercise(text.as_bytes())).count();
    assert!(taken >= 40, "{taken} of 400 are YAML");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn splicing_is_replacing_in_the_data(text in text(), image in image()) {
        let file = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text:?}")))?;
        let spliced = splice_with(&file, &image);
        prop_assert_eq!(file.references().len(), assert_replaced(&text, &spliced, &image));
    }

    #[test]
    fn streams_have_the_documents_of_their_files(first in text(), second in text()) {
        let scalars = |text: &str| -> Vec<String> {
            let events = events(text).unwrap_or_else(|error| panic!("{error}"));
            let is_scalar = |(kind, value): &(String, String)| kind.starts_with("scalar") && value != "~";
            events.into_iter().filter(is_scalar).map(|(_, value)| value).collect()
        };
        let [one, two] = [&first, &second].map(|text| parse(text).unwrap());
        let stream = manifest(&one) + &manifest(&two);
        let mut expected = scalars(&support::splice(&one));
        expected.extend(scalars(&support::splice(&two)));
        prop_assert_eq!(scalars(&stream), expected, "{:?}", stream);
    }

    #[test]
    fn files_are_the_same_on_several_threads(first in text(), soup in soup(), last in text()) {
        support::assert_same_on_threads(&first);
        support::assert_same_on_threads(&[&*first, &*soup, &*last].concat());
        support::assert_same_on_threads(&[&*first, "\n", &*last, "---\n", &*soup].concat());
    }

    #[test]
    fn never_panics_on_bytes(bytes in vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }

    #[test]
    fn never_panics_on_text(text in any::<String>()) {
        exercise(text.as_bytes());
    }

    #[test]
    fn never_panics_on_a_selector(text in "[a-z0-9=!<>(), ./-]{0,20}|\\PC{0,20}") {
        let _ = Selector::parse(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nearly_yaml_is_spliced_or_refused(text in soup()) {
        exercise(text.as_bytes());
    }
}
