//! Takes over flags of the linker and of go one by one, so that one that ko's templates
//! cannot say takes no others with it.

use engine::Template;

use super::template::{Dialect, translate};

/// How blocks of a template end.
const BLOCK_ENDS: [&str; 3] = ["{{end", "{{ end", "{{- end"];

/// A flag in ko's templates, if it is one there.
fn valid(flag: &str, dialect: Dialect<'_>) -> Result<String, String> {
    let flag = translate(flag, dialect)?;
    Template::parse(&flag).map_err(|error| error.to_string())?;
    Ok(flag)
}

/// The elements of a list, in ko's templates; and those that are left out, with the
/// reasons.
pub(super) fn flags(
    elements: &[String],
    dialect: Dialect<'_>,
) -> (Vec<String>, Vec<(String, String)>) {
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for element in elements {
        match valid(element, dialect) {
            Ok(flag) => taken.push(flag),
            Err(reason) => left.push((element.clone(), reason)),
        }
    }
    (taken, left)
}

/// The same of linker flags, of which one element may have several.
pub(super) fn ldflags(
    elements: &[String],
    dialect: Dialect<'_>,
) -> (Vec<String>, Vec<(String, String)>) {
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for element in elements {
        // Folded or not, a list of flags is one line.
        let words = words(element);
        let whole = words.join(" ");
        match valid(&whole, dialect) {
            Ok(flags) => {
                taken.extend(Some(flags).filter(|flags| !flags.is_empty()));
                continue;
            }
            // What is between them belongs together.
            Err(reason) if BLOCK_ENDS.iter().any(|end| whole.contains(end)) => {
                left.push((whole, reason));
                continue;
            }
            Err(_) => {}
        }
        let mut kept = Vec::new();
        for flag in pairs(&words) {
            match valid(&flag, dialect) {
                Ok(flag) => kept.push(flag),
                Err(reason) => left.push((flag, reason)),
            }
        }
        taken.extend(Some(kept.join(" ")).filter(|flags| !flags.is_empty()));
    }
    (taken, left)
}

/// Splits at white space outside of quotes and templates.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut depth) = (String::new(), None, 0_usize);
    let mut before = ' ';
    for char in text.chars() {
        match (char, quote) {
            ('{', None) if before == '{' => depth += 1,
            ('}', None) if before == '}' => depth = depth.saturating_sub(1),
            ('"' | '\'', None) => quote = Some(char),
            (char, Some(end)) if char == end => quote = None,
            _ => {}
        }
        // Of three braces the first two are a pair.
        before = if "{}".contains(char) && before == char { ' ' } else { char };
        if char.is_whitespace() && quote.is_none() && depth == 0 {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        } else {
            word.push(char);
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Flags with the word that belongs to them.
fn pairs(words: &[String]) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for word in words {
        match flags.last_mut() {
            Some(last)
                if !word.starts_with('-') && last.starts_with('-') && !last.contains(' ') =>
            {
                last.push(' ');
                last.push_str(word);
            }
            _ => flags.push(word.clone()),
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_said_takes_no_others_with_it() {
        let dialect = Dialect::Goreleaser { project: None };
        let of = |text: &str| {
            let (taken, left) = ldflags(&[text.to_owned()], dialect);
            let left: Vec<String> = left.into_iter().map(|(flag, _)| flag).collect();
            (taken.join("|"), left.join("|"))
        };
        for (text, taken, left) in [
            ("-s -w", "-s -w", ""),
            ("-s -w  -X main.v={{ .Tag }}\n", "-s -w -X main.v={{ .Git.Tag }}", ""),
            (
                "-s -X main.a={{ .Major }} -X 'main.b=x y' -extldflags \"-static -z\" -w",
                "-s -X 'main.b=x y' -extldflags \"-static -z\" -w",
                "-X main.a={{ .Major }}",
            ),
            ("-X main.a={{ .Major }}", "", "-X main.a={{ .Major }}"),
            ("{{ if .IsNightly }}-s -w{{ end }} -x", "", "{{ if .IsNightly }}-s -w{{ end }} -x"),
            ("{{ if .Tag }}-s -w", "-w", "{{ if .Tag }}-s"),
            ("", "", ""),
        ] {
            assert_eq!(of(text), (taken.to_owned(), left.to_owned()), "{text}");
        }
    }
}
