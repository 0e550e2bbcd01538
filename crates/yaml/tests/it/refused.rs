//! What is no YAML, and how it is said.

use ko_yaml::{Error, File, Mode, Problem, Source};

use crate::support::{self, parse};

fn refuse(bytes: &[u8]) -> Error {
    File::parse(&Source { name: "config/a.yaml", bytes }, Mode::Whole).unwrap_err()
}

#[test]
fn errors_have_file_place_and_snippet() {
    let error = refuse(b"a: b: c\n");
    assert_eq!(
        error.to_string(),
        "config/a.yaml:1:5: mapping values are not allowed in this context"
    );
    assert_eq!(error.snippet, "a: b: c\n    ^");
    let error = refuse("x: 1\n---\né: *nope\n".as_bytes());
    assert_eq!(error.position.to_string(), "3:4");
    assert_eq!(error.snippet, "é: *nope\n   ^");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(refuse(b"a: 1\nb: \xff\n").problem, Problem::NotUtf8);
    assert_eq!(refuse(b"a: 1\nb: \xff\n").position.to_string(), "2:4");
    assert_eq!(
        refuse(b"a: \0\n").to_string(),
        "config/a.yaml:1:4: control characters are not allowed (value: 0)"
    );
}

#[test]
fn nesting_is_bounded_and_never_overflows() {
    let brackets = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let dashes = |n: usize| "- ".repeat(n) + "ko://x";
    for make in [&brackets as &dyn Fn(usize) -> String, &dashes] {
        assert!(parse(&make(50)).is_ok());
        assert!(parse(&make(File::DEPTH)).is_ok());
        assert_eq!(refuse(make(50_000).as_bytes()).problem, Problem::TooDeep);
    }
    let ours = [support::ours(&[&brackets(50_000)], None), support::ours(&[&dashes(50_000)], None)];
    assert_eq!(support::compare(&ours, &|_| false), 2);
}

#[test]
fn aliases_are_not_expanded() {
    let mut bomb = String::from("a0: &a0 [ko://x, ko://y]\n");
    for i in 1..60 {
        let items = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb += &format!("a{i}: &a{i} [{items}]\n");
    }
    assert_eq!(parse(&bomb).unwrap().references().len(), 2);
}

#[test]
fn a_byte_order_mark_inside_a_document_is_refused() {
    // Ko skips it at the start of a line; YAML 1.2.2 section 5.2 forbids it.
    let error = refuse("a: 1\n---\n\u{feff}b: 1\n".as_bytes());
    assert_eq!(error.position.to_string(), "3:1");
    assert!(parse("\u{feff}a: 1\n...\n\u{feff}b: 1\n").is_ok());
}

#[test]
fn ko_refuses_the_same() {
    let texts = [
        "a: b: c\n",
        "a: 'b\n",
        "a: \"b\n",
        "a: [1\n",
        "{a: 1}\n{b: 2}\n",
        "a: *x\n",
        "a: 1\n b: 2\n",
        "- a\nb: 1\n",
        "a: |x\n",
        "a: @b\n",
        "a: `b`\n",
        "a: %b\n",
        "- - a\n - b\n",
        "a: &x &y b\n",
        "!e!x y\n",
        "a: \"\\q\"\n",
        "%YAML 2.0\n---\na\n",
        "a: }\n",
        "a\nb: 1\n",
        "%YAML 1.1\n%YAML 1.1\n---\na\n",
        "a: 'b' c\n",
        "x: \u{1}\n",
        "a: \u{fffe}\n",
    ];
    let ours: Vec<_> = texts.iter().map(|text| support::ours(&[text], None)).collect();
    assert_eq!(support::compare(&ours, &|_| false), texts.len());
}
