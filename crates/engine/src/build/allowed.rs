//! Says which settings of a build may come from an image, or from the configuration
//! of somebody else's source: those that decide what Go makes, and none that runs,
//! reads or writes anything of this machine. What is not on a list is refused.

use std::ffi::OsStr;

use freshness::split_quoted;
use golang::Environment;

/// A setting that is not taken from others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is no setting that is taken from an image or its source")]
pub struct NotAllowed {
    /// The setting, as it is written.
    pub setting: String,
}

impl NotAllowed {
    fn new(setting: impl Into<String>) -> Self {
        Self { setting: setting.into() }
    }
}

/// Variables that choose instructions of a processor, and what Go takes where they are
/// not set.
pub(crate) const PROCESSOR: [(&str, &str); 8] = [
    ("GO386", "sse2"),
    ("GOAMD64", "v1"),
    ("GOARM", "7"),
    ("GOARM64", "v8.0"),
    ("GOMIPS", "hardfloat"),
    ("GOMIPS64", "hardfloat"),
    ("GOPPC64", "power8"),
    ("GORISCV64", "rva20u64"),
];

/// Other variables that decide what Go makes.
const VARIABLES: [&str; 4] = ["CGO_ENABLED", "GOEXPERIMENT", "GOFIPS140", "GOWORK"];

/// Flags of `go build` without a value.
const SWITCHES: [&str; 6] = ["-a", "-modcacherw", "-race", "-trimpath", "-v", "-buildvcs"];

/// Flags of `go build` with a value that is one of a few.
const CHOICES: [(&str, &[&str]); 9] = [
    ("-a", &["true", "false"]),
    ("-buildmode", &["default", "exe", "pie"]),
    ("-buildvcs", &["auto", "true", "false"]),
    ("-compiler", &["gc"]),
    // The others write to the source.
    ("-mod", &["readonly", "vendor"]),
    ("-pgo", &["auto", "off"]),
    ("-race", &["true", "false"]),
    ("-trimpath", &["true", "false"]),
    ("-v", &["true", "false"]),
];

/// Flags of the compiler. Others name files that it reads or writes.
const COMPILER: [&str; 7] = ["-N", "-l", "-B", "-C", "-dwarf=false", "-dwarf=true", "-e"];

/// Flags of the linker without a value.
const LINKER: [&str; 5] =
    ["-s", "-w", "-compressdwarf=false", "-compressdwarf=true", "-checklinkname=0"];

/// Checks a variable. What the caller's own environment says too is allowed.
pub(crate) fn variable(name: &str, value: &str, caller: &Environment) -> Result<(), NotAllowed> {
    let wrong = || NotAllowed::new(format!("{name}={value}"));
    if caller.get(name) == Some(OsStr::new(value)) {
        return Ok(());
    }
    if name == "GOFLAGS" {
        let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
        return flags(&words).map_err(|_| wrong());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,=-".contains(&byte);
    let of_processor = PROCESSOR.iter().any(|(known, _)| *known == name);
    let is_known = of_processor || VARIABLES.contains(&name);
    let fits = match name {
        // Else it is the path of a file.
        "GOWORK" => matches!(value, "" | "off"),
        _ => value.bytes().all(is_plain),
    };
    if is_known && fits { Ok(()) } else { Err(wrong()) }
}

/// Checks flags of `go build`, each with its value or before it.
pub(crate) fn flags(words: &[String]) -> Result<(), NotAllowed> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let wrong = || NotAllowed::new(word);
        // `--flag` is `-flag`.
        let flag = word.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(word);
        if SWITCHES.contains(&flag) {
            continue;
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (flag, words.next().ok_or_else(wrong)?.clone()),
        };
        let choice = CHOICES.iter().find(|(known, _)| *known == name);
        let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"_., ".contains(&byte);
        let fits = match name {
            "-tags" | "-installsuffix" => value.bytes().all(is_tag),
            "-ldflags" => linker(std::slice::from_ref(&value)).map(|()| true)?,
            "-gcflags" => value.split_whitespace().all(is_of_compiler),
            _ => choice.is_some_and(|(_, values)| values.contains(&value.as_str())),
        };
        if !fits {
            return Err(NotAllowed::new(format!("{name}={value}")));
        }
    }
    Ok(())
}

/// A word of `-gcflags`, perhaps with the packages that it is for.
fn is_of_compiler(word: &str) -> bool {
    let flag = match word.split_once('=') {
        Some((pattern, flag)) if !pattern.starts_with('-') => flag,
        _ => word,
    };
    COMPILER.contains(&flag)
}

/// Checks flags of the linker, which are split as `go` splits them.
pub(crate) fn linker(flags: &[String]) -> Result<(), NotAllowed> {
    let joined = flags.join(" ");
    let split =
        split_quoted(&joined).ok_or_else(|| NotAllowed::new(format!("-ldflags={joined}")))?;
    let mut words = split.iter();
    while let Some(word) = words.next() {
        let wrong = |value: &str| {
            let value = if word.contains('=') { "" } else { value };
            NotAllowed::new(format!("-ldflags={word} {value}").trim_end())
        };
        let flag = word.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(word);
        if LINKER.contains(&flag) {
            continue;
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None => (flag, words.next().ok_or_else(|| wrong(""))?.as_str()),
        };
        let fits = match name {
            "-X" => value.contains('='),
            "-buildid" | "-B" => true,
            "-linkmode" => matches!(value, "auto" | "internal" | "external"),
            "-extldflags" => value == "-static",
            _ => false,
        };
        if !fits {
            return Err(wrong(value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn what_decides_what_go_makes_is_taken() {
        for text in [
            "-trimpath",
            "-tags=netgo,osusergo",
            "-tags|netgo osusergo",
            "--race",
            "-gcflags=all=-N -l",
            "-ldflags=-s -w -X main.v=1",
            "-buildmode=pie",
            "-mod=vendor",
        ] {
            assert_eq!(flags(&words(text)), Ok(()), "{text}");
        }
        for text in [
            "-s|-w",
            "-X main.v=1|-X=main.w=2",
            "-X 'main.v=a b'",
            "-linkmode external -extldflags '-static'",
            "-extldflags=-static -buildid=",
        ] {
            assert_eq!(linker(&words(text)), Ok(()), "{text}");
        }
        let caller = Environment::from_iter([("CC", "gcc-14")]);
        for (name, value) in [
            ("GOAMD64", "v3"),
            ("CGO_ENABLED", "1"),
            ("GOFLAGS", "-tags=a -trimpath"),
            ("GOWORK", "off"),
            ("CC", "gcc-14"),
        ] {
            assert_eq!(variable(name, value, &caller), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_runs_reads_or_writes_something_is_refused() {
        for text in [
            "-toolexec=/tmp/x",
            "--toolexec|x",
            "-toolexec",
            "-overlay=o.json",
            "-modfile=x.mod",
            "-pkgdir=/x",
            "-o=/bin/go",
            "-exec=x",
            "-C=/",
            "-pgo=/etc/passwd",
            "-mod=mod",
            "-asmflags=-o=x",
            "-gcflags=-cpuprofile=/x",
            "-gcflags=all=-importcfg=x",
            "-ldflags=-extld=/tmp/x",
            "-ldflags=-s -o /bin/go",
            "-tags=a;b",
            "-compiler=gccgo",
            "x.go",
        ] {
            assert!(flags(&words(text)).is_err(), "{text}");
        }
        for text in [
            "-extld=/tmp/cc",
            "-extld|/tmp/cc",
            "-extldflags '-static -fplugin=x.so'",
            "-X main.v=1 -o /bin/go",
            "-X 'main.v=1' '-extld=x'",
            "-r /x",
            "-X 'main.v",
            "-s x",
        ] {
            assert!(linker(&words(text)).is_err(), "{text}");
        }
        let caller = Environment::from_iter([("GOPROXY", "https://mine.example.com")]);
        for (name, value) in [
            ("CC", "/tmp/cc"),
            ("GOPROXY", "https://evil.example.com"),
            ("GOSUMDB", "off"),
            ("GONOSUMDB", "*"),
            ("GOCACHEPROG", "/tmp/x"),
            ("GOTOOLCHAIN", "/tmp/go"),
            ("GOFLAGS", "-toolexec=/tmp/x"),
            ("GOWORK", "/tmp/go.work"),
            ("GOEXPERIMENT", "/x"),
            ("PATH", "/tmp"),
            ("GODEBUG", "execerrdot=0"),
            ("CGO_CFLAGS", "-fplugin=x.so"),
        ] {
            assert!(variable(name, value, &caller).is_err(), "{name}");
        }
    }
}
