//! Templates of flags, names and tags: none goes on for ever, none panics, and what has
//! no action stays as it is.
#![no_main]

use std::sync::LazyLock;

use golang::{Environment, GitInfo, GoEnv, Template, TemplateData};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

static DATA: LazyLock<TemplateData> = LazyLock::new(|| {
    let environment: Environment =
        [("A", "a"), ("N", "42"), ("LINES", "one\ntwo")].into_iter().collect();
    let git = GitInfo { branch: "main".into(), tag: "v1.2.3".into(), ..GitInfo::default() };
    TemplateData::new(&environment, &GoEnv::default(), Timestamp::UNIX_EPOCH, &git)
});

fuzz_target!(|text: &str| {
    for template in [Template::parse(text), Template::parse_naming(text)] {
        match template {
            Ok(template) => {
                let _ = template.uses();
                match template.expand(&DATA) {
                    Ok(expanded) if !text.contains("{{") => assert_eq!(expanded, text),
                    Ok(_) => {}
                    Err(error) => drop((error.to_string(), error.hint())),
                }
            }
            Err(error) => drop((error.to_string(), error.hint(), error.place().clone())),
        }
    }
});
