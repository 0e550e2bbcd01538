//! Reads what `go build` writes into a program about itself: the version of Go,
//! the modules and the settings it was made of. It is read from the file, in the
//! format of Go 1.18 and later, without running anything.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::executable::{self, Range};
use crate::literal::unquote;

/// What build info begins with, at a multiple of [`ALIGN`].
const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
const ALIGN: usize = 16;
/// The length of the header, of which the magic is the first part.
const HEADER: u64 = 32;
/// The flag that says that the texts follow the header. Without, there are
/// pointers to them: before Go 1.18.
const INLINE: u8 = 2;
/// What stands before and after the list of modules, in bytes.
const SENTINEL: usize = 16;
/// The longest text that is read, in bytes: that of a program with tens of
/// thousands of modules is a tenth of it.
const LIMIT: u64 = 64 << 20;

/// What a program says about how it was built (`go version -m`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildInfo {
    /// The version of Go, such as `go1.26.8`, with experiments behind a space.
    pub go_version: String,
    /// The import path of the program; empty if Go did not know it.
    pub path: String,
    /// The module of the program; none if it was built without modules.
    pub main: Option<BuiltModule>,
    /// The modules that packages of the program are from, in Go's order.
    pub deps: Vec<BuiltModule>,
    /// Settings of the build as name and value, in Go's order.
    pub settings: Vec<(String, String)>,
}

/// A module that is in a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltModule {
    /// The module's path; of a replacement, possibly that of a directory.
    pub path: String,
    /// Its version, such as `v1.2.3` or `(devel)`; may be empty.
    pub version: String,
    /// Its sum as in `go.sum`, `h1:` and base64; may be empty.
    pub sum: String,
    /// What was built in its place (`replace` of `go.mod`).
    pub replace: Option<Box<BuiltModule>>,
}

impl BuiltModule {
    /// Is the path that of a directory, by Go's rules for `replace`?
    #[must_use]
    pub fn is_directory(&self) -> bool {
        let path = self.path.as_bytes();
        let relative = self.path.trim_start_matches('.');
        let dots = self.path.len() - relative.len();
        self.path.starts_with(['/', '\\'])
            || (matches!(dots, 1 | 2) && (relative.is_empty() || relative.starts_with(['/', '\\'])))
            || (path.len() >= 2 && path[0].is_ascii_alphabetic() && path[1] == b':')
    }
}

/// Build info that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the build info of {path}", path = path.display())]
pub struct BuildInfoError {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub reason: BuildInfoProblem,
}

/// Why build info cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BuildInfoProblem {
    /// The file cannot be read, or ends early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is none of the executables that Go makes.
    #[error("not an executable of ELF, Mach-O or PE")]
    NotExecutable,
    /// The file is one, but its headers make no sense.
    #[error("the executable is malformed")]
    Executable(#[from] object::read::Error),
    /// There is none: it was removed, or Go did not make the file.
    #[error("there is none: not made by Go, or packed")]
    Missing,
    /// It is in the format before Go 1.18.
    #[error("it is that of a Go before 1.18")]
    Old,
    /// It is longer than anything that Go writes.
    #[error("it is longer than {LIMIT} bytes")]
    TooLong,
    /// It is not what Go writes.
    #[error("unexpected line {line:?}")]
    Line {
        /// The line.
        line: String,
    },
}

impl BuildInfo {
    /// Reads the build info of an executable of ELF, Mach-O or PE: headers
    /// and the place that they lead to, whatever the size of the file.
    ///
    /// # Errors
    /// The file cannot be read, is none of these, or has no build info.
    pub fn read(path: &Path) -> Result<Self, BuildInfoError> {
        let read = || {
            let file = File::open(path)?;
            let places = executable::places(&file)?.ok_or(BuildInfoProblem::NotExecutable)?;
            for place in places {
                if let Some(found) = texts(&file, place)? {
                    return Self::parse(&found.0, &found.1);
                }
            }
            Err(BuildInfoProblem::Missing)
        };
        read().map_err(|reason| BuildInfoError { path: path.to_owned(), reason })
    }

    /// Reads the lines that Go writes.
    fn parse(go_version: &str, lines: &str) -> Result<Self, BuildInfoProblem> {
        let mut info = Self { go_version: go_version.to_owned(), ..Self::default() };
        // The module that a `=>` would replace.
        let mut last: Option<&mut BuiltModule> = None;
        for line in lines.lines() {
            let wrong = || BuildInfoProblem::Line { line: line.to_owned() };
            let (word, rest) = line.split_once('\t').unwrap_or((line, ""));
            match word {
                "path" => rest.clone_into(&mut info.path),
                "mod" => last = Some(info.main.insert(module(rest).ok_or_else(wrong)?)),
                "dep" => {
                    info.deps.push(module(rest).ok_or_else(wrong)?);
                    last = info.deps.last_mut();
                }
                "=>" => {
                    let replaced = last.take().ok_or_else(wrong)?;
                    replaced.replace = Some(Box::new(module(rest).ok_or_else(wrong)?));
                }
                "build" => info.settings.push(setting(rest).ok_or_else(wrong)?),
                // Later versions of Go may say more.
                _ => {}
            }
        }
        Ok(info)
    }
}

/// `path`, `version` and perhaps `sum`, with tabs between them.
fn module(columns: &str) -> Option<BuiltModule> {
    let mut columns = columns.split('\t').map(str::to_owned);
    let path = columns.next().filter(|path| !path.is_empty())?;
    let (version, sum) = (columns.next()?, columns.next().unwrap_or_default());
    columns.next().is_none().then_some(BuiltModule { path, version, sum, replace: None })
}

/// `name=value`, either of which may be quoted.
fn setting(text: &str) -> Option<(String, String)> {
    let (name, rest) = match text.as_bytes().first()? {
        b'"' | b'`' => unquote(text)?,
        _ => {
            let at = text.find('=')?;
            (text[..at].to_owned(), &text[at..])
        }
    };
    let value = rest.strip_prefix('=')?;
    let value = match value.as_bytes().first() {
        Some(b'"' | b'`') => match unquote(value)? {
            (value, "") => value,
            _ => return None,
        },
        _ => value.to_owned(),
    };
    (!name.is_empty()).then_some((name, value))
}

/// The version and the list of modules, if build info is in a place.
fn texts(file: &File, place: Range) -> Result<Option<(String, String)>, BuildInfoProblem> {
    let mut data = BufReader::new(file);
    data.seek(SeekFrom::Start(place.offset))?;
    let mut data = data.take(place.size);
    let mut block = [0; ALIGN];
    loop {
        if data.limit() < HEADER {
            return Ok(None);
        }
        data.read_exact(&mut block)?;
        if block.starts_with(MAGIC) {
            break;
        }
    }
    if block[15] & INLINE == 0 {
        return Err(BuildInfoProblem::Old);
    }
    data.read_exact(&mut block)?;
    let version = text(&mut data)?;
    let modules = text(&mut data)?;
    // Without both sentinels there are no modules.
    let end = modules.len().saturating_sub(SENTINEL);
    let inner = modules.get(SENTINEL..end).filter(|inner| inner.ends_with(b"\n"));
    let inner = inner.unwrap_or_default();
    Ok(Some((lossy(&version), lossy(inner))))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A text behind its length, which is a base-128 varint.
fn text(data: &mut impl Read) -> Result<Vec<u8>, BuildInfoProblem> {
    let mut length: u64 = 0;
    for shift in (0..).step_by(7) {
        let mut byte = [0];
        data.read_exact(&mut byte)?;
        length |= u64::from(byte[0] & 0x7f) << shift;
        if length > LIMIT || shift > 28 {
            return Err(BuildInfoProblem::TooLong);
        }
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut text = Vec::new();
    data.take(length).read_to_end(&mut text)?;
    if (text.len() as u64) < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn directories_are_told_from_modules() {
        for (path, want) in [
            ("./lib", true),
            ("../lib", true),
            ("..", true),
            (".", true),
            ("/abs/lib", true),
            (r"..\lib", true),
            (r"C:\lib", true),
            ("example.com/lib", false),
            (".hidden/lib", false),
            (".../lib", false),
            ("", false),
        ] {
            let module = BuiltModule { path: path.to_owned(), ..BuiltModule::default() };
            assert_eq!(module.is_directory(), want, "{path}");
        }
    }

    #[test]
    fn settings_may_be_quoted() {
        for (text, want) in [
            ("CGO_ENABLED=0", Some(("CGO_ENABLED", "0"))),
            ("-ldflags=", Some(("-ldflags", ""))),
            (r#"-ldflags="-X main.a=\"b c\"""#, Some(("-ldflags", r#"-X main.a="b c""#))),
            ("-tags=`a\"b`", Some(("-tags", "a\"b"))),
            (r#""a b"=c"#, Some(("a b", "c"))),
            (r#"a="\x41\102\u00e9\U0001F600\n\t\\""#, Some(("a", "AB\u{e9}\u{1f600}\n\t\\"))),
            (r#"a="\xff""#, Some(("a", "\u{fffd}"))),
            ("a", None),
            ("=b", None),
            ("", None),
            (r#"a="b"#, None),
            (r#"a="b"c"#, None),
            (r#"a="\x4""#, None),
            (r#"a="\x+1""#, None),
            (r#"a="\q""#, None),
            (r#"a="\ud800""#, None),
            (r#"a="\400""#, None),
        ] {
            let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(setting(text), want, "{text}");
        }
    }

    #[test]
    fn lines_out_of_place_are_refused() {
        for line in ["=>\ta\tv1", "mod\ta", "dep\t\tv1", "dep\ta\tv1\ts\tx", "build\tx", "mod"] {
            let parsed = BuildInfo::parse("go1.26", line);
            assert!(matches!(parsed, Err(BuildInfoProblem::Line { line: ref it }) if it == line));
        }
        let twice = "dep\ta\tv1\n=>\tb\tv2\n=>\tc\tv3\n";
        assert!(BuildInfo::parse("go1.26", twice).is_err());
        assert_eq!(BuildInfo::parse("go1.26", "new\tthing\n\n").unwrap().go_version, "go1.26");
    }

    /// A text that needs no quotes in a line, or one that does.
    fn quotable() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9_.:/,-]{1,12}",
            any::<String>().prop_filter("a name", |s| !s.is_empty())
        ]
    }

    fn module() -> impl Strategy<Value = BuiltModule> {
        let columns =
            ("[a-z][a-z./ ]{0,12}", "(v[0-9.]{1,6}|\\(devel\\))?", "(h1:[a-zA-Z0-9+/]{4}=)?");
        let bare = columns.prop_map(|(path, version, sum)| BuiltModule {
            path,
            version,
            sum,
            replace: None,
        });
        (bare.clone(), proptest::option::of(bare))
            .prop_map(|(module, replace)| BuiltModule { replace: replace.map(Box::new), ..module })
    }

    /// The lines that Go writes (`debug.BuildInfo.String`), without the
    /// version.
    fn lines(info: &BuildInfo) -> String {
        fn write(lines: &mut String, word: &str, module: &BuiltModule) {
            let BuiltModule { path, version, sum, replace } = module;
            *lines += &format!("{word}\t{path}\t{version}");
            match replace {
                Some(replace) => {
                    lines.push('\n');
                    write(lines, "=>", replace);
                }
                None => *lines += &format!("\t{sum}\n"),
            }
        }
        let quoted = |text: &str| match text.contains(['=', ' ', '\t', '\r', '\n', '"', '`']) {
            true => crate::literal::quote(text),
            false => text.to_owned(),
        };
        let mut lines = format!("path\t{}\n", info.path);
        info.main.iter().for_each(|module| write(&mut lines, "mod", module));
        info.deps.iter().for_each(|module| write(&mut lines, "dep", module));
        for (name, value) in &info.settings {
            lines += &format!("build\t{}={}\n", quoted(name), quoted(value));
        }
        lines
    }

    fn any_info() -> impl Strategy<Value = BuildInfo> {
        let path = "[a-z./]{0,12}";
        let modules = (proptest::option::of(module()), proptest::collection::vec(module(), 0..4));
        let settings = proptest::collection::vec((quotable(), quotable()), 0..4);
        (path, modules, settings).prop_map(|(path, (main, deps), settings)| {
            let mut info =
                BuildInfo { go_version: "go1.26".to_owned(), path, main, deps, settings };
            // Of what is replaced, Go writes no sum.
            for module in info.main.iter_mut().chain(&mut info.deps) {
                if module.replace.is_some() {
                    module.sum.clear();
                }
            }
            info
        })
    }

    proptest! {
        /// What Go writes about a program is what is read.
        #[test]
        fn build_info_survives_its_lines(info in any_info()) {
            let lines = lines(&info);
            let read = BuildInfo::parse("go1.26", &lines).unwrap();
            prop_assert_eq!(&read, &info, "{}", lines);
            // Later versions of Go may say more.
            let more = lines.replace('\n', "\nnew\tthing\n");
            prop_assert_eq!(BuildInfo::parse("go1.26", &more).unwrap(), info);
        }

        #[test]
        fn never_panics_on_lines(lines in "((path|mod|dep|=>|build|x)(\t[^\n]{0,12}){0,4}\n){0,8}") {
            let _ = BuildInfo::parse("go1", &lines);
        }
    }
}
