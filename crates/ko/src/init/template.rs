//! Translates templates of other tools into ko's (docs/reference/templates.md).

/// Whose templates they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dialect<'a> {
    /// goreleaser's, with the project's name if the file gives it.
    Goreleaser {
        /// `project_name`.
        project: Option<&'a str>,
    },
    /// skaffold's, whose fields are the variables of the environment.
    Skaffold,
}

/// goreleaser's `.Version`: the tag without its `v`, in words that ko has.
const VERSION: &str = r#"with .Git.Tag }}{{ if eq (slice . 0 1) "v" }}{{ slice . 1 }}{{ else }}{{ . }}{{ end }}{{ end"#;

/// The words of the language, and its functions.
const WORDS: [&str; 31] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery", "if", "else", "end", "range", "with",
    "define", "template", "block", "break", "continue", "true", "false",
];

/// The same in ko's templates; else, what of it ko has not.
pub(super) fn translate(text: &str, dialect: Dialect<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let end = end_of_action(after).ok_or("a template that does not end")?;
        let (inner, after) = (&after[..end], &after[end + 2..]);
        let (inner, left) = match inner.strip_prefix("- ") {
            Some(inner) => (inner, "- "),
            None => (inner, " "),
        };
        let (inner, right) = match inner.strip_suffix(" -") {
            Some(inner) => (inner, " -"),
            None => (inner, " "),
        };
        match action(inner.trim(), dialect)? {
            Action::Text(text) => out.push_str(&text),
            Action::Code(code) => out.push_str(&format!("{{{{{left}{code}{right}}}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the braces are that end an action, which strings may hold as well.
fn end_of_action(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("}}") {
            return Some(at);
        }
        at += string(rest).or_else(|| rest.chars().next().map(char::len_utf8))?;
    }
    None
}

/// The length of the string that a text begins with, quotes included.
fn string(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|quote| ['"', '`', '\''].contains(quote))?;
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if char == '\\' && quote != '`' {
            escaped = true;
        } else if char == quote {
            return Some(at + 1);
        }
    }
    None
}

/// What an action becomes.
enum Action {
    Text(String),
    Code(String),
}

fn action(code: &str, dialect: Dialect<'_>) -> Result<Action, String> {
    if let Dialect::Goreleaser { project } = dialect {
        match code {
            ".Version" => return Ok(Action::Code(VERSION.to_owned())),
            ".ProjectName" if let Some(project) = project => {
                return Ok(Action::Text(project.to_owned()));
            }
            _ => {}
        }
        if let Some(arguments) = code.strip_prefix("envOrDefault ")
            && let Some(length) = string(arguments)
            && let default = arguments[length..].trim()
            && string(default) == Some(default.len())
        {
            let name = &arguments[..length];
            return Ok(Action::Code(format!("or (index .Env {name}) {default}")));
        }
    }
    let mut out = String::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if let Some(length) = string(rest) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let is_field =
            first == '.' && rest[1..].starts_with(|c: char| is_word(c) && !c.is_numeric());
        if is_field {
            let end = rest.find(|c: char| !is_word(c) && c != '.').unwrap_or(rest.len());
            out.push_str(&field(&rest[..end], dialect)?);
            rest = &rest[end..];
        } else if is_word(first) || first == '$' {
            let end = rest.char_indices().skip(1).find(|(_, c)| !is_word(*c) && *c != '.');
            let end = end.map_or(rest.len(), |(end, _)| end);
            let word = &rest[..end];
            if first.is_alphabetic() && !WORDS.contains(&word) {
                return Err(format!("ko's templates have no function {word}"));
            }
            out.push_str(word);
            rest = &rest[end..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(Action::Code(out))
}

/// A field of the data.
fn field(field: &str, dialect: Dialect<'_>) -> Result<String, String> {
    let known = match dialect {
        Dialect::Skaffold if !field[1..].contains('.') => return Ok(format!(".Env{field}")),
        Dialect::Skaffold => None,
        Dialect::Goreleaser { .. } if field.starts_with(".Env.") || field == ".Env" => Some(field),
        Dialect::Goreleaser { .. } => match field {
            ".Date" | ".Timestamp" => Some(field),
            ".Tag" => Some(".Git.Tag"),
            ".Branch" => Some(".Git.Branch"),
            ".Commit" | ".FullCommit" => Some(".Git.FullCommit"),
            ".ShortCommit" => Some(".Git.ShortCommit"),
            ".CommitDate" => Some(".Git.CommitDate"),
            ".CommitTimestamp" => Some(".Git.CommitTimestamp"),
            ".IsGitDirty" => Some(".Git.IsDirty"),
            ".IsGitClean" => Some(".Git.IsClean"),
            ".GitTreeState" => Some(".Git.TreeState"),
            ".Os" => Some(".Env.GOOS"),
            ".Arch" => Some(".Env.GOARCH"),
            _ => None,
        },
    };
    known.map(str::to_owned).ok_or_else(|| format!("ko's templates have no {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(text: &str, dialect: Dialect<'_>) -> String {
        let translated = translate(text, dialect).unwrap_or_else(|reason| format!("! {reason}"));
        if !translated.starts_with('!') {
            engine::Template::parse(&translated).unwrap();
        }
        translated
    }

    #[test]
    fn what_ko_knows_is_translated() {
        let dialect = Dialect::Goreleaser { project: Some("app") };
        for (text, want) in [
            ("-s -w", "-s -w"),
            ("-X main.v={{.Tag}}", "-X main.v={{ .Git.Tag }}"),
            ("a {{- .ShortCommit -}} b", "a {{- .Git.ShortCommit -}} b"),
            ("{{ .Env.A }}{{.Commit}}", "{{ .Env.A }}{{ .Git.FullCommit }}"),
            ("{{ if .IsGitDirty }}-dirty{{ end }}", "{{ if .Git.IsDirty }}-dirty{{ end }}"),
            ("{{ printf \"%s}}{{.Tag\" .Branch }}", "{{ printf \"%s}}{{.Tag\" .Git.Branch }}"),
            (
                "{{ with $x := .Tag }}{{ $x }}{{ end }}",
                "{{ with $x := .Git.Tag }}{{ $x }}{{ end }}",
            ),
            ("{{.ProjectName}}-x", "app-x"),
            (
                "{{ .Version }}",
                "{{ with .Git.Tag }}{{ if eq (slice . 0 1) \"v\" }}{{ slice . 1 }}{{ else }}{{ . }}{{ end }}{{ end }}",
            ),
            ("{{ envOrDefault \"V\" \"dev\" }}", "{{ or (index .Env \"V\") \"dev\" }}"),
            ("{{ index .Env \"V\" }}", "{{ index .Env \"V\" }}"),
            ("{{.Os}}/{{.Arch}}", "{{ .Env.GOOS }}/{{ .Env.GOARCH }}"),
            ("{{ .Major }}", "! ko's templates have no .Major"),
            ("{{ .Version | toupper }}", "! ko's templates have no .Version"),
            ("{{ toupper .Tag }}", "! ko's templates have no function toupper"),
            ("{{ .Now.Format \"2006\" }}", "! ko's templates have no .Now.Format"),
            ("{{ .Tag", "! a template that does not end"),
        ] {
            assert_eq!(translated(text, dialect), want, "{text}");
        }
        let unnamed = Dialect::Goreleaser { project: None };
        assert_eq!(
            translated("{{.ProjectName}}", unnamed),
            "! ko's templates have no .ProjectName"
        );
    }

    #[test]
    fn skaffold_s_fields_are_variables() {
        for (text, want) in [
            ("-X main.v={{.VERSION}}", "-X main.v={{ .Env.VERSION }}"),
            ("{{ if .V }}{{ .V }}{{ end }}", "{{ if .Env.V }}{{ .Env.V }}{{ end }}"),
            ("{{ default \"dev\" .V }}", "! ko's templates have no function default"),
        ] {
            assert_eq!(translated(text, Dialect::Skaffold), want, "{text}");
        }
    }
}
