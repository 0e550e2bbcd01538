//! Puts what an image says of its build where the source leaves it open, for a build
//! that verifies.

use golang::Template;

use super::allowed::{NotAllowed, variable};
use super::options::{BuildFlags, VerifiedBuild};

impl VerifiedBuild {
    /// Checks the variables that a build configures.
    pub(super) fn check_environment(&self, entries: &[String]) -> Result<(), NotAllowed> {
        entries.iter().try_for_each(|entry| {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            variable(name, value, &self.caller)
        })
    }

    /// Takes the image's word for those flags of the linker whose templates look at
    /// variables or the time of the build, and that fit them.
    pub(super) fn fill(&self, flags: &mut BuildFlags) {
        let Some(claimed) = &self.ldflags else { return };
        if claimed.len() != flags.ldflags.len() {
            return;
        }
        for (template, claimed) in flags.ldflags.iter_mut().zip(claimed) {
            let uses = template.uses();
            if !uses.env && !uses.date {
                continue;
            }
            if fits(template.source(), claimed)
                && let Ok(literal) = Template::parse(claimed)
            {
                *template = literal;
            }
        }
    }
}

/// Whether a text may be what a template comes to: its own words are there, and what
/// stands for an action is one word.
fn fits(template: &str, text: &str) -> bool {
    if text.contains("{{") {
        return false;
    }
    let Some((first, mut rest)) = template.split_once("{{") else { return template == text };
    let Some(mut text) = text
        .strip_prefix(first.trim_end_matches(|c: char| rest.starts_with('-') && c.is_whitespace()))
    else {
        return false;
    };
    let is_word = |word: &str| !word.contains(|c: char| c.is_whitespace() || c == '\'' || c == '"');
    loop {
        let Some((_, after)) = rest.split_once("}}") else { return false };
        match after.split_once("{{") {
            None => return text.strip_suffix(after).is_some_and(is_word),
            Some((literal, next)) => {
                let at = if literal.is_empty() { Some(0) } else { text.find(literal) };
                match at.filter(|at| is_word(&text[..*at])) {
                    Some(at) => text = &text[at + literal.len()..],
                    None => return false,
                }
                rest = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_an_action_is_one_word() {
        for (template, text, want) in [
            ("-X main.v={{.Env.V}}", "-X main.v=1.2", true),
            ("-X main.v={{.Env.V}} -s", "-X main.v=1.2 -s", true),
            ("-X main.v={{.Env.A}}-{{.Date}}", "-X main.v=1-2026", true),
            ("-X main.v={{.Env.A}}{{.Date}}", "-X main.v=12026", true),
            ("-X main.v={{.Env.V}}", "-X main.w=1.2", false),
            ("-X main.v={{.Env.V}}", "-X main.v=1 -X main.url=x", false),
            ("-X 'main.v={{.Env.V}}'", "-X 'main.v=1' -X 'main.url=x'", false),
            ("-X main.v={{.Env.V}} -s", "-X main.v=1 -w", false),
            ("-X main.v={{.Env.V}}", "-X main.v={{.Env.HOME}}", false),
            ("-s", "-s", true),
            ("-s", "-w", false),
        ] {
            assert_eq!(fits(template, text), want, "{template}: {text}");
        }
    }
}
