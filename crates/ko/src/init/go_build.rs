//! Finds `go build` in the instructions of a Dockerfile, and its flags that say how a
//! program is compiled.

use super::shell::{Word, commands};

/// Flags with a value that say where things are, or how much is told.
const OTHERS: [&str; 13] = [
    "o",
    "p",
    "C",
    "modfile",
    "modcacherw",
    "installsuffix",
    "pkgdir",
    "overlay",
    "pgo",
    "toolexec",
    "compiler",
    "gccgoflags",
    "coverpkg",
];

/// Those of them that make another program.
const MATTER: [&str; 7] = ["C", "modfile", "overlay", "pgo", "toolexec", "compiler", "gccgoflags"];

/// Flags with a value that become `flags` of a build, beside `-tags`.
const TAKEN: [&str; 4] = ["gcflags", "asmflags", "buildmode", "mod"];

/// Flags that become `flags` of a build, and have no value, or one behind `=`.
const SWITCHES: [&str; 6] = ["race", "msan", "asan", "cover", "linkshared", "buildvcs"];

/// Variables that choose a platform, or what is chosen anyway: ko sets them itself.
const SET: [&str; 6] = ["GOOS", "GOARCH", "GOARM", "GOAMD64", "CGO_ENABLED=0", "GO111MODULE"];

/// A `go build`, as far as it can be taken over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GoBuild {
    pub(super) env: Vec<String>,
    pub(super) flags: Vec<String>,
    pub(super) ldflags: Vec<String>,
    /// Where the program goes.
    pub(super) output: Option<String>,
    /// What is built.
    pub(super) packages: Vec<String>,
    /// What the shell makes something else of, and what depends on where it runs.
    pub(super) left: Vec<String>,
}

/// What a `RUN` does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) builds: Vec<GoBuild>,
    /// It runs something beside `go`.
    pub(super) has_more: bool,
}

/// Reads what follows `RUN`.
pub(super) fn read(rest: &str) -> Run {
    let mut line = rest.trim_start();
    // Mounts and the like.
    while line.starts_with("--") {
        line = line.split_once(char::is_whitespace).map_or("", |(_, line)| line.trim_start());
    }
    let all = match serde_json::from_str::<Vec<String>>(line) {
        Ok(words) => {
            let word = |text| Word { text, is_plain: true };
            vec![words.into_iter().map(word).collect()]
        }
        Err(_) => commands(line),
    };
    let mut run = Run::default();
    for command in &all {
        let is_variable = |word: &&Word| {
            let name = word.text.split_once('=').map(|(name, _)| name).unwrap_or_default();
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !name.is_empty() && name.chars().all(is_name)
        };
        let count = command.iter().take_while(is_variable).count();
        let (variables, words) = command.split_at(count);
        let Some((program, words)) = words.split_first() else { continue };
        let name = program.text.rsplit('/').next().unwrap_or_default();
        match words.first().map(|word| word.text.as_str()) {
            Some("build" | "install") if name == "go" => {
                run.builds.push(build(variables, &words[1..]));
            }
            _ => run.has_more |= !["go", "cd", "mkdir", "set"].contains(&name),
        }
    }
    run
}

fn build(variables: &[Word], words: &[Word]) -> GoBuild {
    let mut build = GoBuild::default();
    for variable in variables {
        let name = variable.text.split('=').next().unwrap_or_default();
        if SET.contains(&name) || SET.contains(&variable.text.as_str()) {
            continue;
        }
        if variable.is_plain {
            build.env.push(variable.text.clone());
        } else {
            build.left.push(name.to_owned());
        }
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.text.strip_prefix('-') else {
            build.packages.push(word.text.clone());
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Word { text: value.to_owned(), ..*word }),
            None if ["tags", "ldflags"].contains(&flag)
                || TAKEN.contains(&flag)
                || OTHERS.contains(&flag) =>
            {
                (flag, words.next().cloned().unwrap_or_default())
            }
            None if SWITCHES.contains(&flag) => {
                build.flags.push(format!("-{flag}"));
                continue;
            }
            None => continue,
        };
        // A template there would be one here.
        let is_plain = value.is_plain && !value.text.contains("{{");
        match name {
            "o" => build.output = Some(value.text).filter(|_| value.is_plain),
            "tags" | "ldflags" if !is_plain => build.left.push(format!("-{name}")),
            "tags" => {
                let tags: Vec<&str> = value.text.split([',', ' ']).collect();
                build.flags.push(format!("-tags={}", tags.join(",")));
            }
            "ldflags" => build.ldflags.push(value.text),
            name if MATTER.contains(&name) => build.left.push(format!("-{name}")),
            name if !TAKEN.contains(&name) && !SWITCHES.contains(&name) => {}
            name if is_plain => build.flags.push(format!("-{name}={}", value.text)),
            name => build.left.push(format!("-{name}")),
        }
    }
    build
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_flags_are_taken() {
        let shown = |rest: &str| {
            let Run { builds, has_more } = read(rest);
            let builds = builds.iter().map(|build| {
                let GoBuild { env, flags, ldflags, output, packages, left } = build;
                let output = output.as_deref().unwrap_or_default();
                let [env, flags, ldflags, packages, left] =
                    [env, flags, ldflags, packages, left].map(|list| list.join("|"));
                format!("{env};{flags};{ldflags};{output};{packages};{left}")
            });
            (builds.collect::<Vec<_>>().join(" / "), has_more)
        };
        for (rest, want, has_more) in [
            ("go build", ";;;;;", false),
            (
                "CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags='-s -w' -o /out/web ./cmd/web",
                ";;-s -w;/out/web;./cmd/web;",
                false,
            ),
            (
                "--mount=type=cache,target=/x  cd src && GOEXPERIMENT=x go build -tags 'a b' --gcflags=all=-l .",
                "GOEXPERIMENT=x;-tags=a,b|-gcflags=all=-l;;;.;",
                false,
            ),
            (
                "apk add git; go build -tags=a -ldflags \"-s -X main.v=${V}\" -o \"$OUT\"",
                ";-tags=a;;;;-ldflags",
                true,
            ),
            (
                "CGO_ENABLED=1 A=$B go build -ldflags '{{.X}}'",
                "CGO_ENABLED=1;;;;;A|-ldflags",
                false,
            ),
            (
                "go build -race -buildvcs=false -pgo=auto -overlay $O -v .",
                ";-race|-buildvcs=false;;;.;-pgo|-overlay",
                false,
            ),
            ("[\"go\", \"build\", \"-ldflags=-s -w\", \"./a\"]", ";;-s -w;;./a;", false),
            ("go mod download && go build -v -a -installsuffix cgo .", ";;;;.;", false),
            ("make build", "", true),
            ("go vet ./...", "", false),
        ] {
            assert_eq!(shown(rest), (want.to_owned(), has_more), "{rest}");
        }
    }
}
