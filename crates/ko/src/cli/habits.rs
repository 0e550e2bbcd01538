//! Knows what users of Docker, kubectl and go type by habit, and how ko says it.

use std::ffi::OsString;

use super::retyped;
use crate::shell;

/// A flag that ko does not have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unknown<'a> {
    /// The command that it was given to.
    pub(super) command: &'a str,
    /// Its name, with its dashes.
    pub(super) flag: &'a str,
    /// All words, beginning with the command.
    pub(super) words: &'a [String],
    /// Which of the words it is.
    pub(super) at: usize,
}

impl Unknown<'_> {
    /// What it was set to, behind `=` or in the next word.
    fn value(&self) -> Option<&str> {
        let word = self.words.get(self.at)?;
        match word.split_once('=') {
            Some((_, value)) => Some(value),
            None => self.words.get(self.at + 1).map(String::as_str),
        }
    }

    /// `ko build` with the programs that were named, or with an example.
    fn build(&self) -> String {
        let programs = retyped::programs(self.words);
        let programs = if programs.is_empty() { vec!["./cmd/app"] } else { programs };
        format!("ko build {}", shell::line(programs))
    }
}

/// What to type for a flag that ko does not have.
pub(super) fn flag(unknown: Unknown<'_>) -> Option<String> {
    let Unknown { command, flag, words, at } = unknown;
    if let ("--version" | "-V" | "-version", _) | ("-v", "ko") = (flag, command) {
        return Some("`ko version` prints the version".to_owned());
    }
    let builds = matches!(command, "build" | "run" | "resolve" | "apply" | "create");
    let applies = matches!(command, "apply" | "create");
    let of_programs = matches!(command, "build" | "run");
    if !builds {
        return None;
    }
    Some(match flag {
        "--file" | "-f" if of_programs => format!(
            "ko needs no Dockerfile: name the program, as in `{}`; its base is --base, or \
             defaultBaseImage in .ko.yaml",
            unknown.build()
        ),
        "--target" => {
            format!("a program takes the place of a stage: `{}`", unknown.build())
        }
        "--tag" => match unknown.value().and_then(|value| retyped::named(words, value)) {
            Some(command) => format!("{TAGS}: `{command}` gives that name"),
            None => TAGS.to_owned(),
        },
        "--output" | "-o" if applies => {
            format!("flags of kubectl follow --, as in `{}`", kubectl(command, "-o yaml"))
        }
        "--output" | "-o" if command == "resolve" => RESOLVED.to_owned(),
        "--dry-run" | "--namespace" | "-n" | "--context" | "--kubeconfig" | "--server-side"
        | "--force" | "--prune" | "--wait" | "--validate" | "--field-manager"
            if applies =>
        {
            let flag = words.get(at).filter(|word| word.starts_with("--") && word.contains('='));
            let line = flag.and_then(|_| retyped::behind_dashes(words, at));
            let line = line.unwrap_or_else(|| kubectl(command, "--namespace=dev"));
            format!("flags of kubectl follow --, as in `{line}`")
        }
        flag => known(command, flag)?.to_owned(),
    })
}

/// A command of kubectl with a flag of its own.
fn kubectl(command: &str, flag: &str) -> String {
    format!("ko {command} -f config -- {flag}")
}

/// Flags for which the same can be said whatever else was typed.
fn known(command: &str, flag: &str) -> Option<&'static str> {
    let applies = matches!(command, "apply" | "create");
    let name = flag.trim_start_matches('-');
    if GO_FLAGS.contains(&name) {
        return Some(
            "flags of `go build` are in defaultFlags or in flags of a build in .ko.yaml, or in \
             GOFLAGS, as in `GOFLAGS=-race ko build`",
        );
    }
    Some(match flag {
        "--file" => "manifests are named with -f or --filename",
        "--load" => "--local (-L) loads images into Docker or Podman",
        "--output" | "-o" => OUTPUT,
        "--output-file" if applies => "`ko resolve --output-file=FILE` writes the manifests",
        "--output-file" => "--image-refs=FILE writes the references of all images",
        "--check" if applies => "`ko resolve --check` looks up all references",
        "--build-arg" => {
            "--ldflags, or env, flags and ldflags of a build in .ko.yaml, are what `go build` gets"
        }
        "--no-cache" | "--force" | "-a" => "--rebuild builds every program again",
        "--pull" => {
            "each run asks what the tag of the base points at now; where ko.lock has the base, \
             --update-lock does"
        }
        "--secret" | "--ssh" => {
            "`go build` runs on this machine, with your environment and credentials: nothing has \
             to be handed to it"
        }
        "--env" | "-e" => {
            "env of a build in .ko.yaml is for `go build`, image.env for the program in the image"
        }
        "--label" => "--image-label adds labels",
        "--annotation" => "--image-annotation adds annotations",
        "--user" => "--image-user is who the program runs as",
        "--from" | "--base-image" | "--default-base-image" => "--base names the base of one run",
        "--repo" | "--docker-repo" | "--registry" | "--image" | "--name" => {
            "KO_DOCKER_REPO says where images go, and --bare that it is the whole name"
        }
        "--config" => "KO_CONFIG_PATH names another .ko.yaml, or its directory",
        "--iidfile" => "--image-refs writes the references of all images to a file",
        "--parallel" | "-p" => "--jobs (-j) says how many programs are built at once",
        "-C" | "--chdir" => {
            "run ko in that directory; programs of other modules can be named by theirs, as in \
             `ko build ../other/cmd/app`"
        }
        _ => return None,
    })
}

/// Flags of `go build` that people miss here.
const GO_FLAGS: [&str; 14] = [
    "asan",
    "asmflags",
    "buildmode",
    "buildvcs",
    "compiler",
    "cover",
    "gcflags",
    "mod",
    "modfile",
    "msan",
    "overlay",
    "pgo",
    "race",
    "trimpath",
];

/// What to type for a command that ko does not have.
pub(super) fn command(command: &str) -> Option<&'static str> {
    Some(match command {
        "push" => "`ko build` pushes what it builds to KO_DOCKER_REPO",
        "load" => "`ko build -L` loads what it builds into Docker or Podman",
        "save" => "`ko build --tarball=FILE --push=false` writes what it builds to a file",
        "pull" => "`ko base pull` brings bases and their layers into the cache",
        "watch" | "dev" => "`ko build --watch` builds again after every change",
        "prune" | "clean" | "gc" => "`ko cache prune` removes old entries of the cache",
        "migrate" | "generate" => "`ko init` writes a .ko.yaml, based on files of other tools",
        "deploy" => "`ko apply` builds what manifests refer to, and applies them",
        "env" | "info" => {
            "`ko config` prints the settings in force, `ko doctor` looks for problems"
        }
        "sign" => "`ko build --sign` signs what it builds",
        "debug" => "`ko build --debug` puts Delve into images",
        "logout" => "`ko auth logout` forgets a login",
        "deps" | "sbom" => "an SBOM is attached to each image: --sbom and --sbom-dir of `ko build`",
        _ => return None,
    })
}

/// A name with a tag, or with other characters, where a tag alone is wanted.
pub(crate) fn tag(text: &str, key: &str) -> Option<String> {
    if text.is_empty() {
        return Some(format!("an element of {key} is empty"));
    }
    let is_name = text.contains(['/', ':']);
    is_name.then(|| match key {
        "--tags" => TAGS.to_owned(),
        key => format!(
            "{key} takes tags alone, and the name is made of KO_DOCKER_REPO and the import path"
        ),
    })
}

/// The same of an element of `--tags`, with a command that gives that name: `arguments` is
/// the command line.
pub(crate) fn typed_tag(text: &str, arguments: &[OsString]) -> Option<String> {
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    // Flags of all commands may come first.
    let command = words.iter().position(|word| !word.starts_with('-'))?;
    let command = retyped::named(&words[command..], text)?;
    Some(format!("{TAGS}: `{command}` gives that name"))
}

/// What is wrong with a value of `KO_DOCKER_REPO` that is no repository.
pub(crate) fn repository(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        return Some(format!("a repository has no scheme: KO_DOCKER_REPO={rest}"));
    }
    let after_host = text.rfind('/').map_or(0, |slash| slash + 1);
    if let Some(colon) = text[after_host..].find(':') {
        let (name, tag) = text.split_at(after_host + colon);
        return Some(format!("tags are given apart: KO_DOCKER_REPO={name} and -t {}", &tag[1..]));
    }
    let lower = text.to_lowercase();
    (lower != text && lower.parse::<engine::Repository>().is_ok())
        .then(|| format!("names of repositories are in lower case: KO_DOCKER_REPO={lower}"))
}

/// What `docker build --output` takes, where ko wants the format of what it prints.
pub(super) fn output(command: &str, value: &str) -> Option<String> {
    if command == "resolve" {
        return Some(RESOLVED.to_owned()).filter(|_| value.contains(['/', '.']) || value == "yaml");
    }
    let field =
        |name: &str| value.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let dest = field("dest").unwrap_or("FILE");
    Some(match field("type") {
        Some("docker") if field("dest").is_none() => {
            "--local (-L) loads images into Docker or Podman".to_owned()
        }
        Some("docker" | "tar") => format!("--tarball={dest} writes them to a file"),
        Some("oci") => format!("KO_DOCKER_REPO=oci-archive:{dest} writes them to a file"),
        Some("local") => format!("KO_DOCKER_REPO=oci:{dest} writes an OCI image layout"),
        Some("registry" | "image") => "KO_DOCKER_REPO says where images are pushed".to_owned(),
        Some(_) => OUTPUT.to_owned(),
        None if value.contains(['/', '.']) => OUTPUT.to_owned(),
        None => return None,
    })
}

const TAGS: &str =
    "--tags (-t) takes tags alone, and the name is made of KO_DOCKER_REPO and the import path";

const RESOLVED: &str = "--output-file=FILE writes the manifests to a file, as YAML; --image-map=FILE writes every reference and its image, as JSON";

const OUTPUT: &str = "--tarball=FILE, --oci-layout-path=DIR and KO_DOCKER_REPO=oci:DIR write images to files, --local (-L) loads them into Docker or Podman";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_other_tools_have_other_names_here() {
        for (line, at, want) in [
            ("build -f Dockerfile ./cmd/api", 1, "as in `ko build ./cmd/api`; its base"),
            ("build --file=Dockerfile .", 1, "as in `ko build ./cmd/app`; its base"),
            ("build --tag acme/api:v1 ./x", 1, "ko build --bare -t v1 ./x` gives that name"),
            ("build --tag v1", 1, TAGS),
            ("build --pull ./x", 1, "--update-lock"),
            ("build --secret id=x ./x", 1, "with your environment"),
            ("build -p 4 ./x", 1, "--jobs (-j)"),
            ("build -C dir ./x", 1, "run ko in that directory"),
            ("build -race ./x", 1, "GOFLAGS"),
            ("ko --version", 1, "`ko version`"),
            ("resolve -o json -f x", 1, "--output-file=FILE"),
            ("create --output-file x", 1, "`ko resolve --output-file=FILE`"),
            ("apply -f x -n dev", 3, "as in `ko apply -f config -- --namespace=dev`"),
            ("create -f x --namespace=dev", 3, "as in `ko create -f x -- --namespace=dev`"),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let flag = words[at].split('=').next().unwrap();
            let said = super::flag(Unknown { command: &words[0], flag, words: &words, at });
            assert!(said.clone().unwrap_or_default().contains(want), "{line}: {said:?}");
        }
        let words = ["build".to_owned(), "--bogus".to_owned()];
        let bogus = Unknown { command: "build", flag: "--bogus", words: &words, at: 1 };
        assert_eq!(super::flag(bogus), None);
    }

    #[test]
    fn a_tag_is_no_name() {
        for (text, key, want) in [
            ("", "imageTags", Some("an element of imageTags is empty")),
            ("a/b:v1", "imageTags", Some("imageTags takes tags alone")),
            ("a:v1", "--tags", Some(TAGS)),
            ("a b", "--tags", None),
        ] {
            let said = tag(text, key);
            assert_eq!(said.is_some(), want.is_some(), "{text}");
            assert!(said.unwrap_or_default().contains(want.unwrap_or_default()), "{text}");
        }
        let line = ["ko", "-v", "build", "-t", "a/b:v1", "./x"].map(OsString::from);
        let said = typed_tag("a/b:v1", &line).unwrap();
        assert!(said.ends_with("`KO_DOCKER_REPO=a/b ko build --bare -t v1 ./x` gives that name"));
    }

    #[test]
    fn repositories_are_put_right() {
        for (text, want) in [
            ("https://r.io/team", Some("KO_DOCKER_REPO=r.io/team")),
            ("r.io/team:v1", Some("KO_DOCKER_REPO=r.io/team and -t v1")),
            ("r.io/Team", Some("KO_DOCKER_REPO=r.io/team")),
            ("r.io/Te am", None),
        ] {
            let said = repository(text);
            assert_eq!(said.is_some(), want.is_some(), "{text}");
            assert!(said.unwrap_or_default().ends_with(want.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn outputs_of_docker_have_other_names_here() {
        for (value, want) in [
            ("type=docker", "--local"),
            ("type=docker,dest=a.tar", "--tarball=a.tar "),
            ("type=tar,dest=a.tar", "--tarball=a.tar "),
            ("dest=a.tar,type=oci", "oci-archive:a.tar "),
            ("type=local,dest=out", "oci:out "),
            ("type=registry", "KO_DOCKER_REPO"),
            ("type=other", "--tarball"),
            ("./out", "--tarball"),
        ] {
            assert!(output("build", value).unwrap().contains(want), "{value}");
        }
        assert_eq!(output("build", "jsn"), None);
        assert!(output("resolve", "out.yaml").unwrap().contains("--output-file"));
    }
}
