//! `docs/parity.md`, from the same tables that the suite checks: everything
//! that ko can be told, and what becomes of it here.

mod help;
mod quirks;
mod settings;
mod surface;

pub(crate) use help::check;

use crate::case::Case;
use crate::{breakage, compare, sbom};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use toolkit::{Error, Result, ko, step};

/// What becomes of something of ko's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing: it is the same.
    Same,
    /// It does more, or fails less: how.
    Better(&'static str),
    /// It is not the same: why.
    Different(&'static str),
}

/// Something of ko's, by its name.
type Row = (&'static str, Answer);

/// Writes the file.
pub(crate) fn write(cases: &[Case]) -> Result<()> {
    let path = path();
    std::fs::write(&path, text(cases)).map_err(|source| Error::File { path, source })
}

fn path() -> PathBuf {
    step::workspace().join("docs/parity.md")
}

fn text(cases: &[Case]) -> String {
    let mut text = format!(
        "# Parity with ko {}\n\n\
         Written by `cargo xtask parity --docs`; a test holds it to the tables that it comes from.\n\n\
         Everything that ko can be told is in one of these tables. *Same* means that both do the\n\
         same, and that the suite or a test would notice if not.\n",
        ko::VERSION.trim_start_matches('v')
    );
    rows(&mut text, "Commands", "command", &surface::COMMANDS);
    flags(&mut text);
    rows(&mut text, "Variables", "variable", &settings::VARIABLES);
    rows(&mut text, "Configuration keys", "key", &settings::KEYS);
    rows(&mut text, "Files", "file", &settings::FILES);
    quirk_rows(&mut text);
    rules(&mut text);
    differences(&mut text, cases);
    text
}

fn answer(answer: Answer) -> String {
    match answer {
        Answer::Same => "same".to_owned(),
        Answer::Better(how) => format!("better: {how}"),
        Answer::Different(why) => format!("different: {why}"),
    }
}

fn heading(text: &mut String, title: &str, columns: &[&str]) {
    let rule = "---|".repeat(columns.len());
    let _ = write!(text, "\n## {title}\n\n| {} |\n|{rule}\n", columns.join(" | "));
}

fn rows(text: &mut String, title: &str, column: &str, rows: &[Row]) {
    heading(text, title, &[column, "here"]);
    for &(name, verdict) in rows {
        let _ = writeln!(text, "| `{name}` | {} |", answer(verdict));
    }
}

fn flags(text: &mut String) {
    heading(text, "Flags", &["flag", "commands", "here"]);
    for flag in &surface::FLAGS {
        let commands: Vec<String> =
            flag.commands.iter().map(|command| format!("`{command}`")).collect();
        let commands = if commands.is_empty() { "all".to_owned() } else { commands.join(" ") };
        let _ = writeln!(text, "| `{}` | {commands} | {} |", flag.names, answer(flag.answer));
    }
}

fn quirk_rows(text: &mut String) {
    heading(text, "Quirks", &["", "ko", "here"]);
    for (number, (quirk, fate)) in quirks::QUIRKS.iter().enumerate() {
        let _ = writeln!(text, "| {} | {quirk} | {} |", number + 1, quirks::text(*fate));
    }
}

/// What is different in every case in which it comes up.
fn rules(text: &mut String) {
    text.push_str(
        "\n## Differences in every case\n\n\
         Cases run with the defaults of both tools, SBOMs included. Those are compared as data: where\n\
         they are, their media types, every value and the order of the keys, after these rules. What\n\
         `ko resolve` prints and what kubectl gets is compared as YAML data. Compressed layers are\n\
         compared entry by entry, and names stand for the digests of what contains them.\n\n",
    );
    let mut reasons: Vec<&str> = sbom::rule::RULES.iter().map(|rule| rule.reason).collect();
    reasons.dedup();
    for reason in reasons.into_iter().chain([compare::FRESH]) {
        let _ = writeln!(text, "- {reason}");
    }
}

/// What cases name, by reason.
fn differences(text: &mut String, cases: &[Case]) {
    let mut reasons: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for case in cases {
        for difference in &case.differences {
            let (fields, names) = reasons.entry(difference.reason).or_default();
            *fields += 1;
            if !names.contains(&case.name.as_str()) {
                names.push(&case.name);
            }
        }
    }
    let named: usize = reasons.values().map(|(fields, _)| fields).sum();
    let _ = write!(
        text,
        "\n## Differences that cases name\n\n\
         {} cases are compared, and {} mistakes made on purpose have to be noticed. A difference is\n\
         a failure unless the case names it, field and value; {named} are named.\n\n\
         | reason | fields | cases |\n|---|---|---|\n",
        cases.len(),
        breakage::all().count(),
    );
    for (reason, (fields, names)) in reasons {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "| {reason} | {fields} | {} |", names.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use crate::cases;

    #[test]
    fn the_file_is_what_the_tables_say() {
        let written = std::fs::read_to_string(super::path()).unwrap();
        let text = super::text(&cases::all());
        assert!(written == text, "docs/parity.md is old: run `cargo xtask parity --docs`");
    }
}
