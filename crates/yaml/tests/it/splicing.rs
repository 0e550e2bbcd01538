//! What replacing does to the bytes, style by style.

use ko_yaml::{Extent, Found, Style};

use crate::support::{self, parse, parse_embedded, splice_with};

const IMAGE: &str = "reg.example.com/a@sha256:0f";

/// A text with `R` for a reference, and what it becomes with `I` for the image.
fn check(text: &str, expected: &str) {
    let text = text.replace('R', "ko://x.io/c");
    let file = parse(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let spliced = splice_with(&file, IMAGE);
    assert_eq!(spliced, expected.replace('I', IMAGE).replace('R', "ko://x.io/c"), "{text:?}");
}

#[test]
fn only_references_change() {
    for (text, expected) in [
        ("a: R", "a: I"),
        ("a:   R   # c\n", "a:   I   # c\n"),
        ("- 'R'\n- \"R\"\n", "- 'I'\n- \"I\"\n"),
        ("- \"\\u006bo://x.io/c\"\n- 'R  '\n", "- \"I\"\n- 'I'\n"),
        ("R: R\n? R\n: R\n", "I: I\n? I\n: I\n"),
        ("{R: [R, \"R\" , 'R'],  b: R}", "{I: [I, \"I\" , 'I'],  b: I}"),
        ("a: &x R\nb: *x\n", "a: &x I\nb: *x\n"),
        (
            "a: !!str R\nb: ! R\nc: !<tag:yaml.org,2002:str> R",
            "a: !!str I\nb: ! I\nc: !<tag:yaml.org,2002:str> I",
        ),
        ("a: !foo R\nb: !!binary R\n", "a: !foo R\nb: !!binary R\n"),
        ("# R\na: x R\nb: --i=R\nc: ' R'\n", "# R\na: x R\nb: --i=R\nc: ' R'\n"),
        ("R", "I"),
        (">\n    R\n", ">-\n    I\n"),
        ("# c\n&a | # c\n  R\n", "# c\n&a |- # c\n  I\n"),
        ("--- R\n...\n---\n'R'\n", "--- I\n...\n---\n'I'\n"),
        ("\u{feff}a: R\r\nb: |\r\n  R\r\nc: é\r\n", "\u{feff}a: I\r\nb: |-\r\n  I\r\nc: é\r\n"),
        ("a: R\rb: |\r  R\rc: d", "a: I\rb: |-\r  I\rc: d"),
        (
            "%YAML 1.1\n%TAG !e! tag:yaml.org,2002:\n---\na: !e!str R\n",
            "%YAML 1.1\n%TAG !e! tag:yaml.org,2002:\n---\na: !e!str I\n",
        ),
        ("{\"a\": \"R\",\n\t\"b\": 1}\n", "{\"a\": \"I\",\n\t\"b\": 1}\n"),
        ("a:\n  R\n  # c\nb: 1\n", "a:\n  I\n  # c\nb: 1\n"),
        ("a: R\na: R\n", "a: I\na: I\n"),
        ("é: R\n", "é: I\n"),
    ] {
        check(text, expected);
    }
}

#[test]
fn block_scalars_lose_the_line_feed_of_their_end() {
    for (text, expected) in [
        ("a: |\n  R\n", "a: |-\n  I\n"),
        ("a: |-\n  R\nb: 1\n", "a: |-\n  I\nb: 1\n"),
        ("a: >+ # c | d\n    R\n\n\nb: 1\n", "a: >- # c | d\n    I\n\n\nb: 1\n"),
        ("a: &x !!str |2 # ko://no\n  R", "a: &x !!str |2- # ko://no\n  I"),
        ("a: |+1\n R\n", "a: |1-\n I\n"),
        ("- |\n R   \n# c\n- b\n", "- |-\n I\n# c\n- b\n"),
        ("a: |\n  R\n    \nb: 1\n", "a: |-\n  I\nb: 1\n"),
        ("a: |\n  R\n \n\nb: 1\n", "a: |-\n  I\n \n\nb: 1\n"),
        ("? |\n  R\n: >\n  R\n", "? |-\n  I\n: >-\n  I\n"),
        ("--- |\n  R\n", "--- |-\n  I\n"),
        ("a:\n\n  # > c\n\n  |\n  R\n", "a:\n\n  # > c\n\n  |-\n  I\n"),
    ] {
        check(text, expected);
    }
}

#[test]
fn any_text_reads_back_whatever_the_style() {
    let values = [
        "",
        " ",
        "a b",
        "a: b",
        "a #b",
        "it's",
        "\"q\"\\",
        "x\ny\n",
        "\ttab",
        "end ",
        "null",
        "1",
        "é\u{1f600}",
        "\u{0}\u{85}\u{feff}",
        "- a",
        "%x",
        "@a",
        "a,b",
        "[x]",
        "*x",
        "---",
        "...",
    ];
    let texts = [
        "a: ko://r\nb: 1\n",
        "a: 'ko://r' # c\n",
        "[\"ko://r\", x]",
        "a: |\n  ko://r\nb: 1\n",
        "a: > # c\n  ko://r\n\nb: 1\n",
        "ko://r: x\n",
        "{ko://r: x}",
        "? ko://r\n",
        "ko://r",
        "- - ko://r\n",
        "a:\n- |+\n  ko://r\n\n\n- c\n",
        "--- |\n ko://r\n---\nb: 1\n",
    ];
    for text in texts {
        for value in values {
            let spliced = splice_with(&parse(text).unwrap(), value);
            let marked = splice_with(&parse(text).unwrap(), "ko://mark");
            let mut expected = support::events(&marked).unwrap();
            for (_, scalar) in &mut expected {
                if scalar == "ko://mark" {
                    value.clone_into(scalar);
                }
            }
            assert_eq!(support::events(&spliced), Ok(expected), "{value:?} in {text:?}");
        }
    }
}

#[test]
fn what_is_found_is_described() {
    let text = "a: b\n---\nké:\n  - \"ko://a/B \"\n  - |\n    ko://c\nko://: {ko://d: x}\n";
    let file = parse(text).unwrap();
    let show = |found: &Found| {
        let source = &text[found.span.clone()];
        format!("{} {source:?} {} {:?} {}", found.value, found.position, found.style, found.is_key)
    };
    let found: Vec<String> = file.references().iter().map(show).collect();
    assert_eq!(
        found,
        [
            "ko://a/B \"\\\"ko://a/B \\\"\" 4:5 Double false",
            "ko://c \"|\\n    ko://c\" 6:5 Literal false",
            "ko:// \"ko://\" 7:1 Plain true",
            "ko://d \"ko://d\" 7:9 Plain true",
        ]
    );
    assert!(file.references().iter().all(|f| f.document == 1 && f.extent == Extent::Whole));
    let documents: Vec<_> = file.documents().iter().map(|d| (d.range.clone(), d.marker)).collect();
    assert_eq!(documents, [(0..5, None), (5..text.len(), Some(5))]);
}

#[test]
fn embedded_references_are_replaced_in_every_style() {
    let image = |text: &str| {
        let file = parse_embedded(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        splice_with(&file, IMAGE).replace(IMAGE, "I")
    };
    for (text, expected) in [
        ("a: --i=ko://x/y,z\n", "a: --i=I,z\n"),
        ("a: 'it''s ko://x.'\n", "a: 'it''s I.'\n"),
        ("a: \"\\\"ko://x\\\" \\u006bo://y\\u002fz\\n\"\n", "a: \"\\\"I\\\" I\\n\"\n"),
        ("a: \"--i=ko://x/\\\n   y b\"\n", "a: \"--i=I b\"\n"),
        ("a: \"é \\t ko://x\n  ko://y\"\n", "a: \"é \\t I\n  I\"\n"),
        ("a: |\n  x: ko://x\n  y: 'ko://y'\n# ko://z\n", "a: |\n  x: I\n  y: 'I'\n# ko://z\n"),
        ("a: >\n  run ko://x\n  ko://y.\n", "a: >\n  run I\n  I.\n"),
        ("a: |\n  ko://x\n", "a: |-\n  I\n"),
        ("a: |\n  ko://x\n  ko://y\n", "a: |\n  I\n  I\n"),
        ("[\"ko://x ko://y\", ko://x]", "[\"I I\", I]"),
        (
            "a: !foo --i=ko://x\nb: see ko:// or gecko://x\n",
            "a: !foo --i=ko://x\nb: see ko:// or gecko://x\n",
        ),
        ("a=ko://x: b\n", "a=I: b\n"),
        ("a: x\n   ko://y\n", "a: x\n   I\n"),
    ] {
        assert_eq!(image(text), expected, "{text:?}");
    }
    let file = parse_embedded("a: |\r\n  é: ko://x\r\n\r\n  - b=ko://y\r\n").unwrap();
    let places: Vec<String> = file.references().iter().map(|f| f.position.to_string()).collect();
    assert_eq!(places, ["2:6", "4:7"]);
    assert!(
        file.references().iter().all(|f| (f.extent, f.style) == (Extent::Embedded, Style::Literal))
    );
    let unfit = file.splice(|_| "a b".into()).unwrap_err();
    assert_eq!(unfit.to_string(), "\"a b\" cannot replace a part of the string at 2:6");
}

#[test]
fn references_are_kos() {
    let texts = [
        "a: [ko://a, 'ko://b', \"\\u006bo://c\", !!str ko://d, !x ko://e, &y ko://f, *y]",
        "- ko://a\n- - ko://b\n-\n  ko://c: ko://d\n- {ko://e: , ? ko://f, g}\n- 'ko://h  '\n- ' ko://i'\n",
        "a: >\n  ko://a\n\n  more\nb: |+\n  ko://b\n\n\nc: >-\n\n  ko://c\n",
        "ko://root",
        "--- # c\na: ko://a\n...\n# x\n---\n'ko://b'\n---\n---\n",
        "a: !!int ko://a\nb: ! ko://b\nc: ko://\n",
        "&a [*a, ko://x]",
        "a: &x ko://a\n---\nb: &x ko://b\nc: *x\n",
        "a: ko://a\u{a0}\nb: \"ko://b\\t\\u0085\"\n",
        "{\"a\": \"ko://a\", \"b\": {\"c\": [\"ko://b\"]}}\n",
        "a: |\n  ko://a",
        "a: |\n  text",
        "a: |+\n  text\n  ",
        "a: >+\n  text\n\n",
        "a: |+\n  text",
        "a: |+",
        "a: |\n  text\n   ",
        "a: \"ko://a\"\n... # end\n",
        "\u{feff}# c\n---\na: ko://a\n",
    ];
    let ours: Vec<_> = texts.iter().map(|text| support::ours(&[text], None)).collect();
    assert_eq!(support::compare(&ours, &|_| false), 0);
}

/// A block scalar without text has a header too, and no key need stand before the next.
#[test]
fn headers_of_empty_block_scalars_are_their_own() {
    for text in [
        "- >\n- >-\n  ko://x/y\n",
        "- |\n- |\n  ko://x/y\n",
        "- | # a | b\n\n- # > c\n  >-\n  ko://x/y\n",
        "- &a !!str |+\n\n- !!str |-\n  ko://x/y\n",
        "? a\n: >\n: >-\n  ko://x/y\n",
        "- - |\n  - |\n- |-\n  ko://x/y\n",
    ] {
        let file = parse(text).unwrap();
        let spliced = splice_with(&file, "image");
        let before = text.trim_end().strip_suffix("ko://x/y").unwrap();
        let kept = before.rsplit_once(['|', '>']).unwrap().0;
        assert!(spliced.starts_with(kept), "{text:?} became {spliced:?}");
        assert!(spliced.ends_with("-\n  image\n"), "{text:?} became {spliced:?}");
    }
}

#[test]
fn references_say_what_and_where_they_are() {
    // Text, references with their scalars, and whether they are keys.
    for (text, whole, embedded) in [
        (
            "a: 'x ko://b, ko://c'\n",
            &[][..],
            &[("ko://b", "ko://b", false), ("ko://c", "ko://c", false)][..],
        ),
        ("a: ko://b\n", &[("ko://b", "ko://b", false)], &[("ko://b", "ko://b", false)]),
        ("ko://b: 1\n", &[("ko://b", "ko://b", true)], &[("ko://b", "ko://b", true)]),
        ("a: \"x\\tko://\\u0062\"\n", &[], &[("ko://b", "ko://\\u0062", false)]),
        // An alias is a key as others are.
        ("a: &x 1\n*x : ko://b\n", &[("ko://b", "ko://b", false)], &[("ko://b", "ko://b", false)]),
        // A `|` inside another scalar or a comment is not a header.
        (
            "a: 'x | y'\nb: |\n  ko://c\n",
            &[("ko://c", "|\n  ko://c", false)],
            &[("ko://c", "|\n  ko://c", false)],
        ),
        (
            "# | x\n- >-\n  ko://c\n",
            &[("ko://c", ">-\n  ko://c", false)],
            &[("ko://c", ">-\n  ko://c", false)],
        ),
    ] {
        for (file, want) in [(parse(text), whole), (parse_embedded(text), embedded)] {
            let file = file.unwrap();
            let found: Vec<_> = file
                .references()
                .iter()
                .map(|found| (found.value.as_str(), &text[found.span.clone()], found.is_key))
                .collect();
            assert_eq!(found, want, "{text:?}");
            assert_eq!(file.name(), "f.yaml");
        }
    }
}
