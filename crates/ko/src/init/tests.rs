//! Files of any shape: nothing panics, and what is written is YAML.

use std::path::PathBuf;

use proptest::prelude::*;

use super::template::Dialect;
use super::*;
use crate::mains::Main;

fn empty() -> Draft {
    let main = |dir: &str| Main {
        dir: PathBuf::from(dir),
        module: PathBuf::new(),
        import_path: Some(format!("example.com/{dir}")),
    };
    Draft::new(Path::new("/here"), vec![main("cmd/web"), main("cmd/worker")])
}

/// Values that are not what a key should have.
const SHAPES: [&str; 9] = [
    "~",
    "x",
    "''",
    "7",
    "true",
    "[]",
    "{}",
    "[[a], {b: c}, ~, 1.5]",
    "{a: [b], c: {d: e}, '1': ~}",
];

#[test]
fn other_shapes_are_no_panic() {
    let kos = [
        "id",
        "build",
        "main",
        "working_dir",
        "base_image",
        "labels",
        "annotations",
        "user",
        "repositories",
        "repository",
        "platforms",
        "tags",
        "creation_time",
        "sbom",
        "ldflags",
        "flags",
        "env",
        "bare",
        "disable",
    ];
    let builds = ["id", "dir", "main", "goos", "goarch", "tags", "gcflags", "binary", "builder"];
    let artifacts = ["image", "context", "platforms", "ko", "docker"];
    let ko = ["fromImage", "dir", "main", "env", "flags", "ldflags", "labels", "platforms"];
    for shape in SHAPES {
        let goreleaser = |text: String| {
            let mut draft = empty();
            let (source, root) = config::tree("g", text).unwrap();
            let _ = goreleaser::read(&mut draft, &source, &root);
            draft.settle();
            config::tree("k", draft.yaml()).unwrap();
        };
        let skaffold = |text: String| {
            let mut draft = empty();
            let (source, root) = config::tree("s", text).unwrap();
            skaffold::read(&mut draft, &source, &root, false);
            draft.settle();
            config::tree("k", draft.yaml()).unwrap();
        };
        for text in [
            shape.to_owned(),
            format!("kos: {shape}"),
            format!("builds: {shape}"),
            format!("builds: [{{main: ./cmd/web}}]\ndockers: {shape}\ndockers_v2: {shape}"),
        ] {
            goreleaser(text);
        }
        for key in kos {
            goreleaser(
                format!("kos: [{{main: ./cmd/web, {key}: {shape}}}]")
                    .replace("main: ./cmd/web, main", "main"),
            );
        }
        for key in builds {
            goreleaser(
                format!("builds: [{{main: ./cmd/web, {key}: {shape}}}]")
                    .replace("main: ./cmd/web, main", "main"),
            );
        }
        for text in
            [shape.to_owned(), format!("build: {shape}"), format!("build: {{artifacts: {shape}}}")]
        {
            skaffold(text);
        }
        for key in artifacts {
            skaffold(format!("build: {{artifacts: [{{{key}: {shape}}}]}}"));
        }
        for key in ko {
            skaffold(
                format!("build: {{artifacts: [{{ko: {{main: ./cmd/web, {key}: {shape}}}}}]}}")
                    .replace("main: ./cmd/web, main", "main"),
            );
        }
    }
}

#[test]
fn any_dockerfile_is_no_panic() {
    for text in [
        "",
        "FROM",
        "FROM --platform=x",
        "from a AS b\nFROM b as b\nFROM b",
        "FROM a\n\\\n\\",
        "FROM $",
        "FROM ${A",
        "FROM ${A:-alpine}\nENTRYPOINT []\nCMD",
        "ARG A=$A\nFROM $A\nENTRYPOINT [\"\"]",
        "RUN x\nENTRYPOINT x",
        "FROM a \u{0}\u{1b}[31m\nUSER \r\nLABEL",
        "FROM a\nENV\nENV A\nENV =\nLABEL a= =b\nEXPOSE\nWORKDIR\nSHELL\nVOLUME []\nHEALTHCHECK --",
        "FROM a\nUSER \u{202e}\u{85}\nENV \"a b\"=\"c\\\nd\"\nHEALTHCHECK CMD\nRUN go build -tags",
    ] {
        for own in [None, Some(1)] {
            let mut draft = empty();
            dockerfile::read(&mut draft, "Dockerfile", own, text);
            draft.settle();
            config::tree("k", draft.yaml()).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_template_is_no_panic(text in "[{}.$| a-zA-Z\"'`\\\\é\n-]{0,40}") {
        for dialect in [Dialect::Goreleaser { project: Some("p") }, Dialect::Skaffold] {
            let elements = [text.clone()];
            for flag in ldflags::ldflags(&elements, dialect).0 {
                prop_assert!(engine::Template::parse(&flag).is_ok(), "{flag}");
            }
            let _ = ldflags::flags(&elements, dialect);
        }
    }

    #[test]
    fn any_text_is_no_panic(text in "(FROM|ARG|RUN|CMD|USER|ENV|LABEL|EXPOSE|WORKDIR|HEALTHCHECK|go build -tags| |\\$|\\{|\\}|:-|a|é|=|\\\\|\n|#|\"|\\[|\\]){0,60}") {
        let mut draft = empty();
        dockerfile::read(&mut draft, "Dockerfile", None, &text);
        draft.settle();
        prop_assert!(config::tree("k", draft.yaml()).is_ok());
    }
}
