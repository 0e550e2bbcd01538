//! Extracts the part of a Go file that affects the package graph: its head with
//! build constraints and imports, and the patterns of `//go:embed` wherever they
//! are. Other edits change what is compiled, but nothing that `go list` says.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};
use stat::Sum;

/// The [headers](header) of source files, by the path of the
/// directory as it is recorded, a slash, and the name. Those of which nothing
/// is known are left out.
pub(crate) type Headers = BTreeMap<String, Sum>;

/// The sum of what counts of a source file. `None` of what is not understood:
/// then anything may count.
///
/// The head has the package clause with all before it (build constraints,
/// `//go:debug`) and the imports, to the end of their lines (`// import "path"`).
/// The Go specification has no import after another declaration, and `go`
/// (go/build: `readGoInfo`) reads no further but for patterns.
pub(crate) fn header(source: &[u8]) -> Option<Sum> {
    let end = Scanner { source, at: 0 }.head()?;
    let (head, body) = source.split_at(end);
    let mut counts = head.to_vec();
    for at in memmem::find_iter(body, EMBED) {
        let line = &body[at..];
        // No source has one of these.
        counts.push(0);
        counts.extend(&line[..memchr(b'\n', line).unwrap_or(line.len())]);
    }
    Some(Sum::of(&counts))
}

/// Also within strings and comments, where it is no directive: more may count
/// than need be, not less.
const EMBED: &[u8] = b"//go:embed";

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Where the package clause or the last import ends, with its line.
    fn head(mut self) -> Option<usize> {
        if self.source.starts_with(b"\xef\xbb\xbf") {
            self.at = 3;
        }
        self.space()?;
        if self.word() != b"package" {
            return None;
        }
        self.space()?;
        if self.word().is_empty() {
            return None;
        }
        loop {
            self.line()?;
            let end = self.at;
            self.separators()?;
            match self.word() {
                b"import" => self.imports()?,
                b"const" | b"func" | b"type" | b"var" => return Some(end),
                b"" if self.peek().is_none() => return Some(end),
                _ => return None,
            }
        }
    }

    /// What follows `import`: one, or several in parentheses.
    fn imports(&mut self) -> Option<()> {
        self.space()?;
        if self.peek() != Some(b'(') {
            return self.import();
        }
        self.at += 1;
        loop {
            self.separators()?;
            if self.peek()? == b')' {
                self.at += 1;
                return Some(());
            }
            self.import()?;
        }
    }

    /// An import path, behind a name or a dot if there is one.
    fn import(&mut self) -> Option<()> {
        if self.peek()? == b'.' {
            self.at += 1;
        } else {
            self.word();
        }
        self.space()?;
        let quote = self.peek().filter(|quote| matches!(quote, b'"' | b'`'))?;
        self.at += 1;
        loop {
            match self.peek()? {
                // No import path has one.
                b'\\' => return None,
                b'\n' if quote == b'"' => return None,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    /// An identifier or keyword, which may be empty.
    fn word(&mut self) -> &'a [u8] {
        let rest: &'a [u8] = &self.source[self.at..];
        let ends = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Blanks, ends of lines and comments.
    fn space(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                Some(b'/') => self.comment()?,
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                _ => return Some(()),
            }
        }
    }

    /// A comment; `None` if it is none, or does not end.
    fn comment(&mut self) -> Option<()> {
        let rest = &self.source[self.at..];
        self.at += if rest.starts_with(b"//") {
            memchr(b'\n', rest).unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            4 + memmem::find(&rest[2..], b"*/")?
        } else {
            return None;
        };
        Some(())
    }

    /// Comments up to the end of the line.
    fn line(&mut self) -> Option<()> {
        while let Some(byte) = self.peek().filter(|&byte| byte != b'\n') {
            if b" \t\r;".contains(&byte) {
                self.at += 1;
            } else if byte == b'/' {
                self.comment()?;
            } else {
                break;
            }
        }
        Some(())
    }

    /// The same, and semicolons.
    fn separators(&mut self) -> Option<()> {
        self.space()?;
        while self.peek() == Some(b';') {
            self.at += 1;
            self.space()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(source: &str) -> Option<&str> {
        Scanner { source: source.as_bytes(), at: 0 }.head().map(|end| &source[..end])
    }

    #[test]
    fn heads() {
        for (source, body) in [
            ("package main\n", "\n"),
            ("package main; func main() {}\n", "func main() {}\n"),
            ("\u{feff}package main\nvar x = 1\n", "\nvar x = 1\n"),
            (
                "//go:build linux\n\n// Doc.\npackage main // import \"x\"\n\ntype T int",
                "\n\ntype T int",
            ),
            (
                "/*\nfunc no()\n*/ package p /* import */\nimport \"a\"\nconst c = 1",
                "\nconst c = 1",
            ),
            (
                "package p\nimport (\n\t\"a\"; b `b`\n\t_ \"c\" // c\n\t. \"d\"\n)\nfunc f()",
                "\nfunc f()",
            ),
            ("package p\nimport()\nimport\"a\"\nimport ä \"b\";func f()", "func f()"),
            // A directive counts where it is.
            ("package p\n\n//go:embed x\nvar s string", "\n\n//go:embed x\nvar s string"),
            ("package p\n// the end", "\n// the end"),
            ("package p /* a\nb */ // c\nfunc f()", "\nfunc f()"),
        ] {
            let want = source.strip_suffix(body);
            assert_eq!(head(source), want, "{source:?}");
        }
        for source in [
            "",
            "// only a comment",
            "/* no end",
            "package",
            "packages p",
            "package p\nx := 1",
            "package p\nimport",
            "package p\nimport (\n\"a\"",
            "package p\nimport \"a",
            "package p\nimport \"a\nb\"\n",
            "package p\nimport \"\\x61\"\n",
            "package p\nimport a\n",
            "package p\n/* no end",
            "package p\n}",
        ] {
            assert_eq!(head(source), None, "{source:?}");
        }
    }

    #[test]
    fn what_counts() {
        let of = |source: &str| header(source.as_bytes()).unwrap();
        let was = of("package p\nimport \"a\"\nfunc f() {}\n");
        assert_eq!(was, of("package p\nimport \"a\"\nfunc f() { g() }\n// more\n"));
        assert_ne!(was, of("package p\nimport \"b\"\nfunc f() {}\n"));
        assert_ne!(was, of("package q\nimport \"a\"\nfunc f() {}\n"));
        assert_ne!(was, of("//go:build x\n\npackage p\nimport \"a\"\nfunc f() {}\n"));
        assert_ne!(was, of("package p\nimport \"a\"\nfunc f() {}\n//go:embed x\nvar s string\n"));
        let one = of("package p\nfunc f() {}\n//go:embed x\nvar s string\n");
        assert_ne!(one, of("package p\nfunc f() {}\n//go:embed y\nvar s string\n"));
        assert_eq!(one, of("package p\nfunc g() {}\n//go:embed x\nvar s string\n"));
    }

    /// What may stand where no end of line does.
    fn blank() -> impl Strategy<Value = String> {
        "[ \t]{1,2}|/\\* [a-z/\n]{0,6} \\*/ "
    }

    /// What may stand between lines: no directive.
    fn between() -> impl Strategy<Value = String> {
        "(\n|;|\t| |// [a-z\"`(]{0,9}\n|/\\* [a-z\"`()]{0,9} \\*/){0,4}"
    }

    fn import() -> impl Strategy<Value = String> {
        let name = prop_oneof![Just(String::new()), "(\\.|_|[a-zé]{1,4}) ?"];
        let path = "\"[a-z./]{1,9}\"|`[a-z./]{1,9}`";
        (name, path).prop_map(|(name, path)| name + &path)
    }

    fn declaration() -> impl Strategy<Value = String> {
        let one = (blank(), import()).prop_map(|(blank, import)| format!("import{blank}{import}"));
        let item = (between(), import(), "[;\n]").prop_map(|(a, import, end)| a + &import + &end);
        let many = (proptest::collection::vec(item, 0..4), between())
            .prop_map(|(items, end)| format!("import ({}{end})", items.concat()));
        prop_oneof![one, many]
    }

    /// A source up to the end of its head.
    fn any_head() -> impl Strategy<Value = String> {
        let before = "(\u{feff})?((//go:build [a-z]{1,5}|// [a-z\"]{0,9})?\n){0,3}";
        let clause = (blank(), "[a-zé_][a-z0-9_]{0,5}");
        let declarations = proptest::collection::vec((between(), declaration()), 0..4);
        let end = "[ \t]{0,2}(// [a-z]{0,5})?";
        (before, clause, declarations, end).prop_map(
            |(before, (blank, name), declarations, end)| {
                let mut head = format!("{before}package{blank}{name}");
                for (between, declaration) in declarations {
                    head += &format!("\n{between}{declaration}");
                }
                head + &end
            },
        )
    }

    /// What may follow: declarations, comments, texts, directives in them.
    fn body() -> impl Strategy<Value = String> {
        let end = "(func f\\(\\)|type t|var v|const c)[a-z \"`({\n/*]{0,12}";
        (between(), end).prop_map(|(between, end)| format!("\n{between}{end}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// A head ends where it was made to end, and is all that counts.
        #[test]
        fn what_stands_after_the_head_does_not_count(
            head_text in any_head(), other in any_head(), body in body(), another in body(),
        ) {
            let source = format!("{head_text}{body}");
            prop_assert_eq!(head(&source), Some(&*head_text), "{}", source);
            let of = |head: &str, body: &str| header(format!("{head}{body}").as_bytes());
            prop_assert!(of(&head_text, &body).is_some());
            prop_assert_eq!(of(&head_text, &body), of(&head_text, &another));
            prop_assert_eq!(of(&head_text, &body) == of(&other, &body), head_text == other);
            let constrained = format!("//go:build x\n\n{}", head_text.trim_start_matches('\u{feff}'));
            prop_assert_ne!(of(&head_text, &body), of(&constrained, &body));
        }

        /// Patterns count wherever they are, with their order, to the end of
        /// their lines.
        #[test]
        fn patterns_count_wherever_they_are(
            head in any_head(),
            bodies in proptest::collection::vec((body(), body()), 1..4),
            patterns in proptest::collection::vec(" [a-z* ]{1,9}", 3),
            changed in 0..3_usize,
            more in "[a-z]",
        ) {
            let source = |side: fn(&(String, String)) -> &String, patterns: &[String]| {
                let parts = bodies.iter().zip(patterns);
                let body: String =
                    parts.map(|(body, pattern)| format!("{}\n//go:embed{pattern}\n", side(body))).collect();
                header(format!("{head}{body}").as_bytes()).unwrap()
            };
            let was = source(|body| &body.0, &patterns);
            prop_assert_eq!(source(|body| &body.1, &patterns), was);
            let mut other = patterns;
            other[changed] += &more;
            prop_assert_eq!(source(|body| &body.0, &other) == was, changed >= bodies.len());
        }

        /// A source without a clause, or with an import that does not end, is
        /// not understood.
        #[test]
        fn what_is_no_source_is_not_understood(head in any_head(), body in body()) {
            let source = head.replacen("package", "packages", 1) + &body;
            prop_assert_eq!(header(source.as_bytes()), None);
            let source = format!("{head}\nimport \"{body}");
            prop_assert_eq!(header(source.as_bytes()), None);
        }

        #[test]
        fn never_panics_on_bytes(source: Vec<u8>) {
            let _ = header(&source);
        }

        #[test]
        fn never_panics_on_text_of_go(words: Vec<proptest::sample::Index>) {
            const WORDS: [&str; 14] = [
                "package p", "import", "\"a\"", "`b`", "(", ")", ";", "\n", "//", "/*", "*/",
                "func f()", "//go:embed x", " ",
            ];
            let source: String = words.iter().map(|word| *word.get(&WORDS)).collect();
            let _ = header(source.as_bytes());
        }
    }
}
