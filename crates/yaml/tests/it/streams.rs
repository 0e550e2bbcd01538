//! Outputs of several files, one after the other.

use crate::support::{self, Ours, manifest, parse};

#[test]
fn files_are_ended_and_nothing_else() {
    for (text, expected) in [
        ("a: 1\n", "a: 1\n---\n"),
        ("a: 1", "a: 1\n---\n"),
        ("a: 1\r\n", "a: 1\r\n---\n"),
        ("", "---\n"),
        ("# c", "# c\n---\n"),
        ("a: 1\n---\n", "a: 1\n---\n---\n"),
        ("a: 1\n...\n", "a: 1\n...\n---\n"),
        ("---\na: 1\n---\nb: 2\n", "---\na: 1\n---\nb: 2\n---\n"),
        ("\u{feff}a: 1\n", "a: 1\n---\n"),
        ("%YAML 1.1\n# c\n---\na: 1\n", "# c\n---\na: 1\n---\n"),
        ("# c\n\u{feff}a: 1\u{feff}\n...\n\u{feff}", "# c\na: 1\u{feff}\n...\n\n---\n"),
        ("\u{feff}%YAML 1.1\n---\na: 1\n", "---\na: 1\n---\n"),
        ("a: 1\n...\n%YAML 1.1\n---\nb: 1\n", "a: 1\n...\n---\nb: 1\n---\n"),
        ("%TAG !e! tag:e,1:\n---\na: !e!x y\n", "...\n%TAG !e! tag:e,1:\n---\na: !e!x y\n---\n"),
        (
            "--- {a: 1}\n--- # c\nb: 1\n---\t\"x\"\n",
            "---\n{a: 1}\n--- # c\nb: 1\n---\n\"x\"\n---\n",
        ),
        ("--- --- a\n--- ...\n", "---\n --- a\n---\n ...\n---\n"),
        ("--- ---a\n--- ...a\n", "---\n---a\n---\n...a\n---\n"),
        ("a: 1\n...\nb: 2\n", "a: 1\n...\n---\nb: 2\n---\n"),
        ("a: |\n  x", "a: |-\n  x\n---\n"),
        ("a: |+ # c\n  x", "a: |- # c\n  x\n---\n"),
        ("a: |+\n  x\n", "a: |+\n  x\n---\n"),
        ("a: |+\n  x\n  ", "a: |+\n  x\n---\n"),
        ("a: |-\n  x", "a: |-\n  x\n---\n"),
        ("a: |", "a: |\n---\n"),
    ] {
        assert_eq!(manifest(&parse(text).unwrap()), expected, "{text:?}");
    }
}

#[test]
fn streams_are_kos_as_data_for_parsers_and_for_kubectl() {
    let texts = [
        "a: ko://a\n",
        "a: 1",
        "",
        "# only\n",
        "---\n",
        "---\na: 1\n---\nb: ko://b\n---\n",
        "a: |\n  ko://a",
        "a: |\n  x",
        "a: |+\n  x\n\n",
        "a: |+\n  x",
        "a: |+\n  x\n  ",
        "a: |+\n  x\n\n   ",
        "\u{feff}a: 1\n",
        "a: 1\n...\n",
        "a: 1\n...\n# c\n---\nb: 2\n",
        "--- {a: 1}\n--- [x,\n y]\n--- \"z\"\n",
        "--- --- a\n--- ...\n",
        "%YAML 1.1\n---\na: 1\n",
        "%YAML 1.1\n--- # c\na: 1\n",
        "a: 1\n...\n%YAML 1.1\n---\nb: 2\n",
        "%TAG !e! tag:e,1:\n---\na: !e!x y\n",
        "a: 'x\n\n  y'\r\nb: 1\r\n",
        "{\"a\": \"ko://x\"}",
        "[1,\n2]",
        "a: # c\n",
        "a:",
        "- ",
    ];
    let mut ours: Vec<Ours> = Vec::new();
    for first in texts {
        for second in texts {
            ours.push(support::ours(&[first, second], None));
        }
    }
    assert_eq!(support::compare(&ours, &|_| false), 0);
}
