//! Selectors on documents and lists, against ko, and what is left of the bytes.

use ko_yaml::{Problem, Selector};

use crate::go;
use crate::support::{self, Ours, parse, splice};

fn object(name: &str, labels: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {labels}\nimage: ko://{name}\n"
    )
}

fn list(items: &[(&str, &str)]) -> String {
    let items: String = items
        .iter()
        .map(|(name, labels)| {
            format!(
                "# about {name}\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    labels: {labels}\n  image: |\n    ko://{name}\n    - x\n"
            )
        })
        .collect();
    format!("apiVersion: v1\nkind: List\nitems:\n{items}metadata: {{}}\n")
}

const SELECTORS: [&str; 12] = [
    "app",
    "!app",
    "app=web",
    "app!=web",
    "app in (web,db)",
    "app notin (web)",
    "n>1",
    "n<2",
    "app=web,n",
    "",
    "none",
    "!none",
];

#[test]
fn selections_are_kos() {
    let (web, db, none) =
        (object("web", "{app: web, n: 1}"), object("db", "{app: db}"), object("none", "{}"));
    let mut texts = vec![
        web.clone(),
        format!("{web}---\n{db}---\n{none}"),
        format!("# head\n---\n{web}...\n---\n{db}---\n---\n# c\n---\nnull\n---\n{none}...\n"),
        format!("%YAML 1.1\n---\n{web}...\n%YAML 1.1\n---\n{db}"),
        "apiVersion: v1\nkind: Pod\n".to_owned(),
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels: x\n".to_owned(),
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {app: [web]}\n".to_owned(),
        "apiVersion: v1\nkind: Pod\nmetadata:\nmetadata:\n  labels:\n    app: web\n    n: 2\n    app: no\n".to_owned(),
        "apiVersion: v1\nkind: ''\n".to_owned(),
        "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"labels\": {\"app\": \"web\"}}}".to_owned(),
        "apiVersion: v1\nkind: list\n".to_owned(),
        "apiVersion: v1\nkind: List\nitems: []\n".to_owned(),
        "apiVersion: v1\nkind: List\nitems: [null, ~]\n".to_owned(),
        "apiVersion: v1\nkind: List\nitems:\n-\n- null\n".to_owned(),
    ];
    let items =
        [("web", "{app: web, n: 3}"), ("db", "{app: db}"), ("none", "{}"), ("odd", "{n: x}")];
    for i in 0..=items.len() {
        for j in i + 1..=items.len() {
            texts.push(list(&items[i..j]));
        }
    }
    let block = list(&items);
    texts.push(block.replace("items:\n", "items: &all # c\n"));
    texts.push(block.replace('\n', "\r\n"));
    texts.push(block.replace("# about", "  # about").replace("\n-", "\n\n-"));
    texts.push(block.replace("metadata: {}\n", ""));
    texts.push(block.trim_end().trim_end_matches("metadata: {}").trim_end().to_owned());
    texts.push(block.replace("items:\n", "items:\n# first\n\n"));
    // Indented items: the head is three lines, the tail one.
    let lines: Vec<&str> = block.lines().collect();
    let (head, rest) = lines.split_at(3);
    let (items, tail) = rest.split_at(rest.len() - 1);
    let items = items.iter().map(|line| format!("  {line}"));
    let indented: Vec<String> = head.iter().map(|line| (*line).to_owned()).chain(items).collect();
    texts.push(indented.join("\n") + "\n" + tail[0] + "\n");
    texts.push(indented.join("\n"));
    texts.push(
        "apiVersion: v1\nkind: List\nitems: [ {apiVersion: v1, kind: A, metadata: {labels: {app: web}}} ,\n  {apiVersion: v1, kind: A, i: 'ko://x'}, # c, d\n  {apiVersion: v1, kind: A, metadata: {labels: {app: db}}}, ]\n"
            .to_owned(),
    );
    texts.push(
        "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"labels\":{\"app\":\"web\"}}},{\"apiVersion\":\"v1\",\"kind\":\"B\",\"x\":[1,2]},null]}"
            .to_owned(),
    );
    texts.push("? kind\n: List\n? apiVersion\n: v1\n? items\n: - apiVersion: v1\n    kind: A\n    metadata: {labels: {app: web}}\n  - apiVersion: v1\n    kind: B\n".to_owned());
    texts.push("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n- apiVersion: v1\n  kind: B\n  metadata:\n    labels:\n      app: \"we\\\n\n- b\"\n  x:\n  - - a\n    -\n  - y:\n- kind: C\n  apiVersion: v1\n  metadata: {labels: {app: web}}\n".to_owned());
    // Below the last value of the last item.
    for rest in
        ["  x:\n  - a\n  -\n", "  x:\n    -\n    # c\n\n      -\n", "  x:\n    ? a\n    :\n"]
    {
        let kept = "- apiVersion: v1\n  kind: A\n";
        let dropped = "- apiVersion: v1\n  kind: B\n  metadata: {labels: {none: x}}\n";
        let text = format!("apiVersion: v1\nkind: List\nitems:\n{kept}{dropped}{rest}");
        texts.extend([format!("{text}# end\nz: 1\n"), text]);
    }
    let mut ours: Vec<Ours> = Vec::new();
    for text in &texts {
        // The empty selector is the absence of one.
        for selector in SELECTORS {
            let selector = Some(selector).filter(|selector| !selector.is_empty());
            ours.push(support::ours(&[text], selector));
        }
    }
    for text in [
        "a: 1\n",
        "x\n",
        "[]\n",
        "apiVersion: 1\nkind: Pod\n",
        "apiVersion: v1\nkind: 1\n",
        "apiVersion: v1\n",
        "apiVersion: v1\nkind: List\n",
        "apiVersion: v1\nkind: List\nitems: {}\n",
        "apiVersion: v1\nkind: List\nitems: [1]\n",
        "x: &a [1]\napiVersion: v1\nkind: List\nitems: *a\n",
        "apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: A}\n- *a\n",
        "!!str null\n",
        "apiVersion: &v v1\nkind: *v\n",
        "---\n...\n---\nx: 1\n",
    ] {
        ours.push(support::ours(&[text], Some("app")));
    }
    let refused = support::compare(&ours, &|_| false);
    assert_eq!(refused, 14);
}

fn selected(text: &str, selector: &str) -> String {
    let mut file = parse(text).unwrap();
    file.select(&Selector::parse(selector).unwrap()).unwrap();
    splice(&file)
}

#[test]
fn what_stays_keeps_its_bytes() {
    let (web, db) = (
        object("web", "{app: web}").replace("ko://", ""),
        object("db", "{app: db}").replace("ko://", ""),
    );
    for (text, expected) in [
        (format!("# head\n{web}---\n{db}"), format!("---\n{db}")),
        (format!("{db}---  # c\n{web}"), db.clone()),
        (format!("{db}...\n---\n{web}...\n---\n{db}"), format!("{db}...\n---\n{db}")),
        (format!("{db}---\n{web}...\n{db}"), format!("{db}...\n{db}")),
        (web, String::new()),
        (
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A} # a, b\n  , {apiVersion: v1, kind: A, metadata: {labels: {app: db}}}]\n".to_owned(),
            "apiVersion: v1\nkind: List\nitems: [ {apiVersion: v1, kind: A, metadata: {labels: {app: db}}}]\n".to_owned(),
        ),
        (
            "apiVersion: v1\nkind: List\n? items\n: - apiVersion: v1\n    kind: A\n  - apiVersion: v1\n    kind: A\n    metadata: {labels: {app: db}}\n".to_owned(),
            "apiVersion: v1\nkind: List\n? items\n: - apiVersion: v1\n    kind: A\n    metadata: {labels: {app: db}}\n".to_owned(),
        ),
        (
            "apiVersion: v1\nkind: List\n? items\n: - apiVersion: v1\n    kind: A\nz: 1\n".to_owned(),
            String::new(),
        ),
    ] {
        assert_eq!(selected(&text, "app=db"), expected, "{text:?}");
    }
    let kept = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata: {labels: {app: db}}\n";
    for rest in ["- a\n  -\n", "  -\n    # c\n\n      -\n", "  ? a\n    :\n"] {
        let dropped = format!("- apiVersion: v1\n  kind: A\n  x:\n  {rest}");
        let text = format!("{kept}{dropped}# end\n\nz: 1\n");
        assert_eq!(selected(&text, "app=db"), format!("{kept}# end\n\nz: 1\n"), "{text:?}");
        let deeper =
            |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        let expected = deeper(&format!("{kept}# end\n\nz: 1\n"));
        assert_eq!(selected(&deeper(&text), "app=db"), expected, "{text:?}");
    }
    let items = "apiVersion: v1\nkind: List\nitems:\n# one\n- apiVersion: v1\n  kind: A\n  # in one\n\n# two\n# more\n- apiVersion: v1\n  kind: A\n  metadata: {labels: {app: db}}   # c\n# three\n- kind: A\n  apiVersion: v1\n# end\nz: 1\n";
    assert_eq!(
        selected(items, "app"),
        "apiVersion: v1\nkind: List\nitems:\n# two\n# more\n- apiVersion: v1\n  kind: A\n  metadata: {labels: {app: db}}   # c\n# end\nz: 1\n"
    );
}

#[test]
fn references_in_what_is_dropped_are_gone() {
    let text = list(&[("web", "{app: web}"), ("db", "{app: db}")]) + "---\n" + &object("x", "{}");
    let mut file = parse(&text).unwrap();
    assert_eq!(file.references().len(), 3);
    file.select(&Selector::parse("app=db").unwrap()).unwrap();
    assert_eq!(file.references().len(), 1);
    assert!(file.references()[0].value.starts_with("ko://db"));
    assert_eq!(file.documents().iter().filter(|document| document.kept).count(), 1);
}

#[test]
fn an_anchor_that_is_still_needed_is_not_dropped() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  x: &x y\n- apiVersion: v1\n  kind: A\n  x: *x\n  metadata: {labels: {app: a}}\n";
    let error = parse(text).unwrap().select(&Selector::parse("app").unwrap()).unwrap_err();
    assert_eq!(
        (error.problem, error.position.to_string().as_str()),
        (Problem::DroppedAnchor, "9:6")
    );
}

#[test]
fn selectors_are_kubernetes() {
    let labels = "{app: web, n: 5, empty: '', 'x.io/y': z}";
    let text = object("web", labels);
    let words =
        ["app", "n", "empty", "x.io/y", "web", "5", "-", "in", "notin", "a/b/c", "A.b/c", "é", ""];
    let signs = ["", "=", "==", "!=", ">", "<", " in (", " notin (", "!", " ", ",", "==="];
    let ends = ["", ")", ",app", ",", ",)", ",,web)", " )"];
    let mut ours = Vec::new();
    for first in words {
        for sign in signs {
            for second in words {
                for end in ends {
                    for not in ["", "!"] {
                        ours.push(format!("{not}{first}{sign}{second}{end}"));
                    }
                }
            }
        }
    }
    let cases: Vec<go::Case> = ours
        .iter()
        .map(|selector| match Selector::parse(selector) {
            Ok(_) => support::ours(&[&text], Some(selector)).case,
            Err(_) => go::Case { selector: Some(selector.clone()), ..go::Case::default() },
        })
        .collect();
    for (selector, answer) in ours.iter().zip(go::ask(&cases)) {
        let parsed = Selector::parse(selector);
        assert_eq!(
            parsed.is_err(),
            answer.error.is_some(),
            "{selector:?}: {parsed:?} {:?}",
            answer.error
        );
        assert_eq!(answer.difference, None, "{selector:?}");
    }
}

/// An alias may stay without its anchor only if that is no item that goes.
#[test]
fn aliases_keep_their_anchors() {
    let item = |labels: &str, more: &str| {
        format!("- apiVersion: v1\n  kind: A\n  metadata: {{labels: {labels}}}\n  x: {more}\n")
    };
    let list = |items: &[(&str, &str)]| {
        let items: String = items.iter().map(|(labels, more)| item(labels, more)).collect();
        format!("apiVersion: v1\nkind: List\nitems:\n{items}")
    };
    for (items, stays) in [
        // The anchor stays; it goes, and so does its alias.
        (&[("{a: b}", "&x 1"), ("{a: b}", "*x"), ("{}", "2")][..], true),
        (&[("{a: b}", "1"), ("{}", "[&x 1, *x]")], true),
        (&[("{a: b}", "1"), ("{}", "&x 1"), ("{}", "*x")], true),
        (&[("{}", "&x 1"), ("{a: b}", "*x")], false),
        // Of two, one goes.
        (&[("{}", "&x 1"), ("{a: b}", "[&y 1, *y]")], true),
        (&[("{}", "&x 1"), ("{a: b}", "[&y 1, *y, *x]")], false),
    ] {
        let text = list(items);
        let mut file = parse(&text).unwrap();
        let selected = file.select(&Selector::parse("a").unwrap());
        assert_eq!(selected.is_ok(), stays, "{text}");
        if stays {
            let kept: Vec<_> =
                items.iter().filter(|(labels, _)| *labels != "{}").copied().collect();
            assert_eq!(splice(&file), list(&kept), "{text}");
        }
    }
}

/// What goes takes its comments, its comma and its line along, and nothing else.
#[test]
fn items_go_with_what_is_theirs() {
    const WEB: &str = "{apiVersion: v1, kind: A, metadata: {labels: {app: web}}}";
    const GOES: &str = "{apiVersion: v1, kind: A}";
    const BLOCK: &str = "items:\n- apiVersion: v1\n  kind: A\n  metadata: {labels: {app: web}}\n";
    let head = "apiVersion: v1\nkind: List\n";
    for (items, stays) in [
        // Flow sequences, with something behind them.
        ("items: [{web}, {goes}], x: 1", "items: [{web}], x: 1"),
        ("items: [{goes}, {web}], x: 1", "items: [ {web}], x: 1"),
        ("items: [{goes}, {web}, {goes}, {goes},], x: 1", "items: [ {web},], x: 1"),
        ("items: [{web}, # a, b\n {goes}], x: 1", "items: [{web}], x: 1"),
        // Block sequences.
        ("items:\n- {goes}\n- {web}\n", "items:\n- {web}\n"),
        ("items:\n- {web}\n-\n", "items:\n- {web}\n"),
        ("items:\n- {web}\n- {goes}\n-\n", "items:\n- {web}\n"),
        ("items:\n-\n- {web}\n", "items:\n- {web}\n"),
        ("items: # a - b\n- {goes}\n- {web}\n", "items: # a - b\n- {web}\n"),
        ("items: &a-b\n- {goes}\n- {web}\n", "items: &a-b\n- {web}\n"),
        ("items: !!seq\n- {goes}\n- {web}\n", "items: !!seq\n- {web}\n"),
        ("items:\n- {goes}\n- {web}\nother:\n- 1\n- 2\n", "items:\n- {web}\nother:\n- 1\n- 2\n"),
        ("items:\n- {web}\n- {goes}\nother:\n- 1\n- 2\n", "items:\n- {web}\nother:\n- 1\n- 2\n"),
        // Comments above an item are its own.
        (
            "items:\n# web\n- {web}\n# one\n# two\n- {goes}\n# more\n- {web}\n",
            "items:\n# web\n- {web}\n# more\n- {web}\n",
        ),
        ("items:\n# goes\n- {goes}\n# web\n- {web}\n", "items:\n# web\n- {web}\n"),
        // The last line of a text is no comment, but what follows it is one.
        ("{block}  x: |\n    # text\n- {goes}\n", "{block}  x: |\n    # text\n"),
        ("{block}  x: |\n    text\n# goes\n- {goes}\n", "{block}  x: |\n    text\n"),
        ("{block}  x: \"a\n    # b\"\n- {goes}\n", "{block}  x: \"a\n    # b\"\n"),
    ] {
        let filled = |text: &str| {
            let text = text.replace("{block}", BLOCK).replace("{web}", WEB).replace("{goes}", GOES);
            match text.starts_with("items: [") {
                true => format!("{{apiVersion: v1, kind: List, {text}}}\n"),
                false => format!("{head}{text}"),
            }
        };
        let text = filled(items);
        let mut file = parse(&text).unwrap();
        file.select(&Selector::parse("app").unwrap()).unwrap();
        assert_eq!(splice(&file), filled(stays), "{text}");
    }
}
