//! Writes the draft as YAML with comments. It reads the same here and for ko 0.19.1.

use std::fmt::Write as _;

use super::draft::{Build, Draft, Settings};
use super::place::dotted;
use crate::config::scalar;

/// What stands above all.
const HEAD: &str = "\
# How ko builds the programs of this repository, written by `ko init`.
# `ko config` shows what is in force, `ko config --schema` all keys. Paths start at
# the directory in which ko runs.
";

impl Draft {
    /// The text of the file.
    pub(crate) fn yaml(&self) -> String {
        let mut text = HEAD.to_owned();
        if let Some(base) = &self.base {
            comment(&mut text, "", &format!("\nThe base of images: {}.", base.from));
            line(&mut text, "defaultBaseImage: ", &base.value);
        }
        if !self.overrides.is_empty() {
            comment(&mut text, "", "\nBases of single programs, by import path.");
            text.push_str("baseImageOverrides:\n");
        }
        for (path, base) in &self.overrides {
            comment(&mut text, "  ", &base.from);
            line(&mut text, &format!("  {}: ", scalar(path)), &base.value);
        }
        if let Some(platforms) = &self.platforms {
            comment(&mut text, "", &format!("\nPlatforms: {}.", platforms.from));
            list(&mut text, "", "defaultPlatforms", &platforms.value);
        }
        if let Some(image) = &self.image {
            text.push('\n');
            image.comment(&mut text, "", "defaultImage");
        }
        comment(&mut text, "", "\nThe programs. dir is where go runs, main the package in it.");
        text.push_str("builds:\n");
        for build in &self.builds {
            program(&mut text, build);
        }
        text
    }
}

fn program(text: &mut String, build: &Build) {
    let none = Settings::default();
    let settings = build.settings.as_ref().unwrap_or(&none);
    if build.settings.is_some() {
        comment(text, "  ", &settings.from());
    }
    if !settings.variables.is_empty() || !settings.words.is_empty() {
        let package = dotted(&build.place);
        let mut words = settings.variables.clone();
        words.push(format!("ko build {package}"));
        words.extend(settings.words.iter().map(|word| shell(word)));
        comment(text, "  ", "What has no key here goes on the command line:");
        comment(text, "  ", &format!("  {}", words.join(" ")));
    }
    line(text, "  - id: ", &build.id);
    if !build.dir.is_empty() {
        line(text, "    dir: ", &dotted(&build.dir));
    }
    line(text, "    main: ", &build.main());
    list(text, "    ", "env", &settings.env);
    list(text, "    ", "flags", &settings.flags);
    list(text, "    ", "ldflags", &settings.ldflags);
    if let Some(image) = &build.image {
        image.comment(text, "    ", "image");
    }
}

fn line(text: &mut String, start: &str, value: &str) {
    let _ = writeln!(text, "{start}{}", scalar(value));
}

fn list(text: &mut String, indent: &str, key: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "{indent}{key}:");
    for item in items {
        line(text, &format!("{indent}  - "), item);
    }
}

/// A comment on one line; a line end at its start is an empty line before it. What is
/// from other files cannot leave it.
fn comment(text: &mut String, indent: &str, comment: &str) {
    let comment = match comment.strip_prefix('\n') {
        Some(rest) => {
            text.push('\n');
            rest
        }
        None => comment,
    };
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    let comment: String = comment.chars().map(safe).collect();
    let _ = writeln!(text, "{indent}# {comment}");
}

/// A word as shells take it.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+%".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
