//! Parses the flags of `go build` that decide what it reads. A flag counts as
//! harmless only if it is listed here: a new flag of Go is unknown until somebody
//! has looked at it.

use golang::{BuildSettings, Environment};
use serde::{Deserialize, Serialize};

use crate::reason::Uncacheable;

/// Flags without a value.
const SWITCHES: [&str; 6] = ["v", "x", "work", "trimpath", "modcacherw", "json"];

/// Flags that have a value, which is all that they read.
const VALUES: [&str; 3] = ["p", "tags", "mod"];

/// Flags that `GOFLAGS` has for `go test` alone.
const TEST_ONLY: [&str; 10] =
    ["count", "timeout", "failfast", "parallel", "short", "vet", "run", "bench", "cpu", "shuffle"];

/// Whether version control is stamped (`-buildvcs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Stamping {
    /// Where the repository and its tool are there.
    #[default]
    Auto,
    Always,
    Never,
}

/// What flags ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Flags {
    pub(crate) stamping: Stamping,
    /// `-pgo`, where it is a file: neither `auto` nor `off`.
    pub(crate) profile: Option<String>,
    /// The words that `go list` must be told as well.
    pub(crate) selecting: Vec<String>,
}

impl Flags {
    /// Reads the words of `GOFLAGS`, of the command line, and the linker flags
    /// that are joined into one `-ldflags`.
    pub(crate) fn parse(
        goflags: &str,
        words: &[String],
        ldflags: &[String],
    ) -> Result<Self, Uncacheable> {
        let mut flags = Self::default();
        let split = split_quoted(goflags)
            .ok_or_else(|| Uncacheable::Flag { flag: format!("GOFLAGS={goflags}") })?;
        for word in split {
            let name = name_of(&word).map(|(name, _)| name);
            if name.is_some_and(|name| TEST_ONLY.contains(&name)) {
                continue;
            }
            flags.add(&word, &mut [].iter(), false)?;
        }
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            flags.add(word, &mut rest, true)?;
        }
        if !ldflags.is_empty() {
            linker(&ldflags.join(" "))?;
        }
        Ok(flags)
    }

    fn add(
        &mut self,
        word: &str,
        rest: &mut std::slice::Iter<'_, String>,
        selecting: bool,
    ) -> Result<(), Uncacheable> {
        let unknown = || Uncacheable::Flag { flag: word.to_owned() };
        let (name, value) = name_of(word).ok_or_else(unknown)?;
        if SWITCHES.contains(&name) {
            if name == "modcacherw" && selecting {
                self.selecting.push(word.to_owned());
            }
            return Ok(());
        }
        if name == "buildvcs" {
            self.stamping = match value {
                None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Stamping::Always,
                Some("auto") => Stamping::Auto,
                Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Stamping::Never,
                Some(_) => return Err(unknown()),
            };
            return Ok(());
        }
        // Without cgo, `go` links these itself, or not at all.
        let modes = ["default", "exe", "pie"];
        let known =
            VALUES.contains(&name) || matches!(name, "buildmode" | "ldflags" | "gcflags" | "pgo");
        if !known {
            return Err(unknown());
        }
        let value = match value {
            Some(value) => value,
            None => rest.next().ok_or_else(unknown)?,
        };
        match name {
            "buildmode" if modes.contains(&value) => {}
            "buildmode" => {
                return Err(Uncacheable::Flag { flag: format!("-buildmode={value}") });
            }
            "ldflags" => linker(value)?,
            "gcflags" => compiler(value)?,
            "pgo" => {
                self.profile = match value {
                    "auto" | "off" | "" => None,
                    path => Some(path.to_owned()),
                };
            }
            _ if selecting && name != "p" => self.selecting.push(format!("-{name}={value}")),
            _ => {}
        }
        Ok(())
    }
}

/// Name and value of a word that is a flag.
fn name_of(word: &str) -> Option<(&str, Option<&str>)> {
    let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    (!name.is_empty() && !name.starts_with('-')).then_some((name, value))
}

/// Splits flags as `go` does (its `quoted.Split`): by white space, a word that
/// begins with a quote ends with the same; `None` if it does not end.
#[must_use]
pub fn split_quoted(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', '\n', '\r']);
    while let Some(first) = rest.chars().next() {
        let (word, after) = if matches!(first, '\'' | '"') {
            rest[1..].split_once(first)?
        } else {
            let end = rest.find([' ', '\t', '\n', '\r']).unwrap_or(rest.len());
            rest.split_at(end)
        };
        words.push(word.to_owned());
        rest = after.trim_start_matches([' ', '\t', '\n', '\r']);
    }
    Some(words)
}

/// The words of a flag that may begin with a pattern of packages.
fn tool_words(of: &str, value: &str) -> Result<Vec<String>, Uncacheable> {
    let unknown = || Uncacheable::ToolFlag { of: of.to_owned(), flag: value.to_owned() };
    let value = value.trim();
    let value = match value.split_once('=') {
        Some((pattern, flags)) if !pattern.starts_with(['-', '\'', '"']) => flags,
        _ => value,
    };
    split_quoted(value).ok_or_else(unknown)
}

/// Refuses the variable by which `go tool link` starts a C toolchain's linker
/// even without cgo, and hands `-extldflags` to it. `go env -w` cannot set it:
/// the linker looks at its environment alone.
pub(crate) fn links_internally(environment: &Environment) -> Result<(), Uncacheable> {
    match environment.get("GO_EXTLINK_ENABLED") {
        Some(value) if value == "1" => {
            Err(Uncacheable::Flag { flag: "GO_EXTLINK_ENABLED=1".to_owned() })
        }
        _ => Ok(()),
    }
}

/// Why builds like this read what nobody can list, as far as that can be told before
/// `go` is asked.
///
/// # Errors
/// They do.
pub fn reads_what_is_known(settings: &BuildSettings) -> Result<(), Uncacheable> {
    Flags::parse("", &settings.flags, &settings.ldflags)?;
    links_internally(&settings.environment)?;
    match settings.environment.get("CGO_ENABLED") {
        Some(value) if value == "0" => Ok(()),
        _ => Err(Uncacheable::Cgo),
    }
}

/// Checks flags of `go tool link`. A word that begins with `@` names a file with
/// more of them, even where a value is expected. The internal linker, the only
/// one without cgo and [GO_EXTLINK_ENABLED](links_internally), reads what `go`
/// hands to it and nothing else; `-extldflags` are for the external one.
fn linker(value: &str) -> Result<(), Uncacheable> {
    let words = tool_words("-ldflags", value)?;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let unknown = || Uncacheable::ToolFlag { of: "-ldflags".to_owned(), flag: word.clone() };
        match name_of(word).ok_or_else(unknown)? {
            ("s" | "w" | "v" | "compressdwarf" | "checklinkname", _)
            | ("X" | "B" | "buildid" | "extldflags" | "strictdups", Some(_))
            | ("linkmode", Some("internal")) => {}
            ("X" | "B" | "buildid" | "extldflags", None)
                if words.next().is_some_and(|value| !value.starts_with('@')) => {}
            _ => return Err(unknown()),
        }
    }
    Ok(())
}

/// Checks flags of `go tool compile`.
fn compiler(value: &str) -> Result<(), Uncacheable> {
    for word in tool_words("-gcflags", value)? {
        match name_of(&word) {
            Some(("N" | "l" | "B" | "e" | "m" | "dwarf" | "dwarflocationlists" | "spectre", _))
            | Some(("d" | "c", Some(_))) => {}
            _ => {
                return Err(Uncacheable::ToolFlag { of: "-gcflags".to_owned(), flag: word });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(goflags: &str, words: &[&str], ldflags: &[&str]) -> Result<Flags, String> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        Flags::parse(goflags, &owned(words), &owned(ldflags)).map_err(|never| never.to_string())
    }

    #[test]
    fn harmless() {
        for (goflags, words, ldflags) in [
            ("", &[][..], &[][..]),
            ("-mod=mod -count=1 '-ldflags=-X main.a=b'", &[], &["-s", "-w"]),
            ("", &["-tags", "a,b", "-v", "--trimpath"], &["-X 'main.v=1 2'", "-X=main.w=/x"]),
            ("", &["-gcflags=all=-N -l", "-ldflags", "all=-s -w"], &["-extldflags '-static'"]),
            ("-buildmode=exe", &["-buildmode", "pie"], &[]),
            ("-pgo=off", &["-p=4", "-pgo=auto"], &["-buildid="]),
        ] {
            assert_eq!(parse(goflags, words, ldflags).unwrap().profile, None, "{words:?}");
        }
    }

    #[test]
    fn not_known() {
        for (goflags, words, ldflags, named) in [
            ("-overlay=/o.json", &[][..], &[][..], "-overlay"),
            ("-modfile=/x/go.mod", &[], &[], "-modfile"),
            ("'-unfinished", &[], &[], "GOFLAGS"),
            ("", &["-race"], &[], "-race"),
            ("", &["-a"], &[], "-a"),
            ("", &["-C", "/x"], &[], "-C"),
            ("", &["-cover"], &[], "-cover"),
            ("", &["-toolexec", "x"], &[], "-toolexec"),
            ("", &["-buildmode=plugin"], &[], "-buildmode=plugin"),
            ("", &["-buildmode"], &[], "-buildmode"),
            ("", &["-asmflags=-I/x"], &[], "-asmflags"),
            ("", &["-gcflags=-embedcfg=/x"], &[], "-embedcfg"),
            ("", &["-ldflags=-r /x -L /y"], &[], "-r"),
            ("", &["-tags"], &[], "-tags"),
            ("", &["word"], &[], "word"),
            ("", &[], &["-linkmode=external"], "-linkmode"),
            ("", &[], &["-X"], "-X"),
            ("", &[], &["-X @/tmp/flags"], "-X"),
            ("", &["-ldflags=-extldflags @/tmp/flags"], &[], "-extldflags"),
            ("", &[], &["@/tmp/flags"], "@/tmp/flags"),
            ("", &["-gcflags=@/tmp/flags"], &[], "@/tmp/flags"),
            ("", &[], &["-X 'main.x=1"], "-ldflags"),
        ] {
            let sentence = parse(goflags, words, ldflags).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
        }
    }

    #[test]
    fn what_they_ask_for() {
        let flags =
            parse("-buildvcs=true -pgo=a", &["-buildvcs=false", "-pgo=b.pgo"], &[]).unwrap();
        assert_eq!((flags.stamping, flags.profile.as_deref()), (Stamping::Never, Some("b.pgo")));
        assert_eq!(parse("", &["-buildvcs"], &[]).unwrap().stamping, Stamping::Always);
        let flags = parse("-tags=x", &["-tags", "a b", "-mod=mod", "-p", "2"], &[]).unwrap();
        assert_eq!(flags.selecting, ["-tags=a b", "-mod=mod"]);
    }

    /// What can be told before `go` is asked.
    #[test]
    fn only_builds_without_a_c_toolchain_read_what_is_known() {
        for (variables, flags, known) in [
            (&[("CGO_ENABLED", "0")][..], &[][..], true),
            (&[("CGO_ENABLED", "0"), ("GO_EXTLINK_ENABLED", "0")], &[], true),
            (&[("CGO_ENABLED", "0"), ("GO_EXTLINK_ENABLED", "1")], &[], false),
            (&[("CGO_ENABLED", "1")], &[], false),
            (&[("CGO_ENABLED", "")], &[], false),
            (&[], &[], false),
            (&[("CGO_ENABLED", "0")], &["-race".to_owned()], false),
        ] {
            let settings = BuildSettings {
                dir: "/".into(),
                target: golang::Target {
                    os: "linux".to_owned(),
                    arch: "amd64".to_owned(),
                    variant: String::new(),
                },
                environment: variables.iter().copied().collect(),
                flags: flags.to_vec(),
                ldflags: Vec::new(),
                disable_optimizations: false,
                untrimmed: false,
            };
            let found = reads_what_is_known(&settings);
            assert_eq!(found.is_ok(), known, "{variables:?} {flags:?}: {found:?}");
        }
    }

    /// A harmless flag: its name, its value, and whether the value is a word
    /// of its own.
    type Flag = (&'static str, Option<String>, bool);

    fn flag() -> impl Strategy<Value = Flag> {
        let select = proptest::sample::select::<&'static str>;
        let text = "[a-z][a-z,./ =]{0,6}";
        let values = |names: &[&'static str], value: BoxedStrategy<String>| {
            (select(names.to_vec()), value.prop_map(Some), any::<bool>())
        };
        let linker = "(-s|-w|-X a\\.b=c|-X=a\\.b=@c|-X 'a\\.b=[a-z ]{0,5}'|-buildid=|--extldflags -static){0,1}";
        let compiler = "(all=)?(-N -l|-N|-d=x|--spectre=all)";
        prop_oneof![
            (select(SWITCHES.to_vec()), Just(None), Just(false)),
            values(&VALUES, text.boxed()),
            values(&["ldflags"], linker.boxed()),
            values(&["gcflags"], compiler.boxed()),
            values(&["buildmode"], "exe|pie|default".boxed()),
            values(&["pgo"], prop_oneof!["auto|off", text].boxed()),
            (Just("buildvcs"), proptest::option::of("auto|true|false|1|0"), Just(false)),
        ]
    }

    /// The words of a flag as a command line may have them.
    fn written((name, value, apart): &Flag, dashes: &str) -> Vec<String> {
        match value {
            None => vec![format!("{dashes}{name}")],
            Some(value) if *apart => vec![format!("{dashes}{name}"), value.clone()],
            Some(value) => vec![format!("{dashes}{name}={value}")],
        }
    }

    /// `go`'s `quoted.Join`.
    fn join(words: &[String], space: &str) -> String {
        let quote = |word: &String| match word {
            word if !word.contains([' ', '\t', '\n', '\r', '\'', '"']) && !word.is_empty() => {
                word.clone()
            }
            word if word.contains('\'') => format!("\"{word}\""),
            word => format!("'{word}'"),
        };
        words.iter().map(quote).collect::<Vec<_>>().join(space)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        /// Harmless flags are read in any spelling and place, and of several
        /// the last counts.
        #[test]
        fn harmless_flags_are_read(
            everywhere in proptest::collection::vec(flag(), 0..5),
            typed in proptest::collection::vec(flag(), 0..6),
            dashes in "--?",
            space in "[ \t\n]{1,2}",
        ) {
            let goflags: Vec<String> = everywhere
                .iter()
                .flat_map(|(name, value, _)| written(&(name, value.clone(), false), &dashes))
                .chain(["-count=1".to_owned(), "-failfast".to_owned()])
                .collect();
            let words: Vec<String> =
                typed.iter().flat_map(|flag| written(flag, &dashes)).collect();
            let mut want = Flags::default();
            for (at, (name, value, _)) in everywhere.iter().chain(&typed).enumerate() {
                match (*name, value.as_deref()) {
                    ("buildvcs", value) => want.stamping = match value {
                        Some("auto") => Stamping::Auto,
                        Some("false" | "0") => Stamping::Never,
                        _ => Stamping::Always,
                    },
                    ("pgo", Some("auto" | "off")) => want.profile = None,
                    ("pgo", value) => want.profile = value.map(str::to_owned),
                    ("modcacherw", _) if at >= everywhere.len() => {
                        want.selecting.push(format!("{dashes}modcacherw"));
                    }
                    ("tags" | "mod", Some(value)) if at >= everywhere.len() => {
                        want.selecting.push(format!("-{name}={value}"));
                    }
                    _ => {}
                }
            }
            let parse = |words: &[String]| Flags::parse(&join(&goflags, &space), words, &[]);
            prop_assert_eq!(parse(&words).unwrap(), want);
            // One that is not known is refused wherever it stands.
            for at in 0..=typed.len() {
                let (before, after) = typed.split_at(at);
                let mut words: Vec<String> =
                    before.iter().flat_map(|flag| written(flag, &dashes)).collect();
                words.push("-overlay=x".to_owned());
                words.extend(after.iter().flat_map(|flag| written(flag, &dashes)));
                let refused = parse(&words).unwrap_err();
                let named = matches!(refused, Uncacheable::Flag { flag } if flag == "-overlay=x");
                prop_assert!(named);
            }
        }

        /// Words that `go` has joined are split into the same.
        #[test]
        fn words_survive_their_quotes(
            words in proptest::collection::vec("[^']{0,6}|[^\"]{0,6}", 0..5), space in "[ \t\n\r]{1,3}",
        ) {
            let text = join(&words, &space);
            prop_assert_eq!(split_quoted(&format!("{text} 'open{space}")), None);
            prop_assert_eq!(split_quoted(&format!("{space}{text}{space}")), Some(words), "{}", text);
        }

        /// A file of flags is refused wherever the linker or the compiler would
        /// read it.
        #[test]
        fn files_of_flags_are_refused(before in "(-s |-w |-X a=b ){0,3}", after in "( -s| -w){0,3}", name in "[a-z/]{1,6}") {
            let value = format!("-ldflags={before}-X @{name}{after}");
            prop_assert!(Flags::parse("", &[value], &[]).is_err());
            for tool in ["ldflags", "gcflags"] {
                let before = if tool == "ldflags" { before.as_str() } else { "-N " };
                let value = format!("-{tool}={before}@{name}{after}");
                let refused = Flags::parse("", &[value], &[]);
                let named = matches!(&refused, Err(Uncacheable::ToolFlag { flag, .. }) if *flag == format!("@{name}"));
                prop_assert!(named, "{:?}", refused);
            }
        }

        #[test]
        fn never_panics_on_words(goflags: String, words: Vec<String>, ldflags: Vec<String>) {
            let _ = Flags::parse(&goflags, &words, &ldflags);
        }
    }
}
