//! Manifests: splicing is replacing in the data, as a full parse before and after says;
//! outputs can be joined; an outline brings the same file back; threads change nothing.
#![no_main]

use std::num::NonZero;

use libfuzzer_sys::fuzz_target;
use yaml::{File, Mode, Selector, Source};

const IMAGE: &str = "example.com/x@sha256:00";

/// What a text says, without style and place.
fn events(text: &str) -> Result<Vec<(String, String)>, String> {
    use granit_parser::{Event, Parser};
    let options = granit_parser::options! { block_scalar_eof_without_line_feed: true };
    let mut events = Vec::new();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, _) = next.map_err(|error| error.to_string())?;
        events.push(match event {
            Event::Scalar(value, _, anchor, tag) => {
                let is_str = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let mark = if is_str { " str" } else { "" };
                (format!("scalar {anchor} {tag:?}{mark}"), value.into_owned())
            }
            Event::SequenceStart(_, anchor, tag) => (format!("[ {anchor} {tag:?}"), String::new()),
            Event::MappingStart(_, anchor, tag) => (format!("{{ {anchor} {tag:?}"), String::new()),
            Event::DocumentStart(..) => ("document".to_owned(), String::new()),
            other => (format!("{other:?}"), String::new()),
        });
    }
    Ok(events)
}

fn splice(file: &File<'_>) -> String {
    let spliced = file.splice(|_| IMAGE.into()).expect("an image fits");
    String::from_utf8(spliced.to_vec()).expect("text stays text")
}

fn replaced(text: &str) -> Vec<(String, String)> {
    let mut expected = events(text).expect("the same parser took it");
    for (kind, scalar) in &mut expected {
        // `!` alone says that something is a string.
        let is_said = kind.contains("{ handle: \"\", suffix: \"!\"");
        let is_string = kind.ends_with("None") || kind.ends_with(" str") || is_said;
        if kind.starts_with("scalar") && scalar.starts_with("ko://") && is_string {
            IMAGE.clone_into(scalar);
        }
    }
    expected
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(bytes) = yaml::to_utf8("-", bytes.to_vec()) else { return };
    for mode in [Mode::Whole, Mode::Embedded] {
        let source = Source { name: "-", bytes: &bytes };
        let parsed = File::parse(&source, mode);
        let shared = File::parse_on(&source, mode, NonZero::new(3).expect("three"));
        assert_eq!(format!("{parsed:?}"), format!("{shared:?}"));
        let Ok(file) = parsed else { return };
        let text = std::str::from_utf8(&bytes).expect("YAML is text");
        let outline = file.outline(mode);
        let recalled = File::of_outline(&source, mode, outline).expect("its own outline");
        assert_eq!(format!("{recalled:?}"), format!("{file:?}"));
        let spliced = splice(&file);
        let again = Source { name: "-", bytes: spliced.as_bytes() };
        let again = File::parse(&again, mode).expect("what is spliced is YAML");
        // `ko://"ko://a"` is text around a reference. With an image in its place, there is no
        // other reference in it, so that it is one as a whole: a bad one.
        let is_text = mode == Mode::Embedded && spliced.contains("ko://");
        assert!(is_text || again.references().is_empty());
        assert_eq!(again.documents().len(), file.documents().len());
        if mode == Mode::Whole {
            assert_eq!(events(&spliced).expect("YAML"), replaced(text));
        }
        let stream = file.manifest(|_| IMAGE.into()).expect("an image fits").to_vec().repeat(2);
        assert!(File::parse(&Source { name: "-", bytes: &stream }, mode).is_ok());
        let mut selected = file.clone();
        if selected.select(&Selector::parse("!a").expect("a selector")).is_ok() {
            let spliced = splice(&selected);
            assert!(File::parse(&Source { name: "-", bytes: spliced.as_bytes() }, mode).is_ok());
        }
    }
});
