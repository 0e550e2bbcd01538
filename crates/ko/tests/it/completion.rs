//! What shells are told: the answers of `ko __complete`; and help, which tells
//! people the same. `shells.rs` has the scripts.

use crate::fixture::{Fixture, module, sandbox};
use crate::spy::write_executable;
use testkit::base::{Image, Index};
use testkit::registry::TestRegistry;
use testkit::sandbox::Sandbox;

/// `ko __complete` with words, split at spaces; the last may be empty.
fn complete(words: &str) -> (String, String) {
    complete_in(&sandbox(), words)
}

fn complete_in(sandbox: &Sandbox, words: &str) -> (String, String) {
    let output = sandbox.run(["__complete"].into_iter().chain(words.split(' '))).output();
    let output = output.success();
    (output.stdout, output.stderr)
}

/// The candidates without their descriptions, and the directive.
fn candidates(words: &str) -> (Vec<String>, String) {
    candidates_in(&sandbox(), words)
}

fn candidates_in(sandbox: &Sandbox, words: &str) -> (Vec<String>, String) {
    let (stdout, stderr) = complete_in(sandbox, words);
    let mut lines: Vec<String> =
        stdout.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect();
    let directive = lines.pop().unwrap();
    let named = match directive.as_str() {
        ":0" => "ShellCompDirectiveDefault",
        ":4" => "ShellCompDirectiveNoFileComp",
        ":16" => "ShellCompDirectiveFilterDirs",
        other => panic!("{other}"),
    };
    assert_eq!(stderr, format!("Completion ended with directive: {named}\n"));
    (lines, directive)
}

#[test]
fn answers() {
    for (words, want, directive) in [
        ("bui", &["build"][..], ":4"),
        ("-v bui", &["build"], ":4"),
        ("--verbose=false -- bui", &["build"], ":4"),
        ("xyz", &[], ":4"),
        // Aliases and what is hidden are understood, but not offered.
        ("pub", &[], ":4"),
        ("aut", &[], ":4"),
        ("__comp", &[], ":4"),
        ("auth ", &["get", "login", "logout", "token"], ":4"),
        ("auth lo", &["login", "logout"], ":4"),
        ("auth nope ", &[], ":4"),
        ("completion ", &["bash", "elvish", "fish", "powershell", "zsh"], ":4"),
        ("completion bash ", &[], ":4"),
        ("completion zsh --v", &["--verbose"], ":4"),
        ("completion zsh --n", &["--no-descriptions"], ":4"),
        ("help bu", &["build"], ":4"),
        (
            "help c",
            &["cache", "completion", "config", "create", "configuration", "credentials"],
            ":4",
        ),
        ("help build ", &[], ":4"),
        ("help nope ", &[], ":4"),
        ("help auth g", &["get"], ":4"),
        ("help -v", &["-v"], ":4"),
        // Files, and what only the user knows. Without a program, directories help.
        ("build ", &[], ":0"),
        ("build ./x ", &[], ":0"),
        ("version ", &[], ":4"),
        ("login ", &[], ":4"),
        ("cache export ", &[], ":0"),
        ("cache prune ", &[], ":4"),
        ("resolve ", &[], ":4"),
        ("resolve -f ", &[], ":0"),
        ("resolve -Rf conf", &[], ":0"),
        ("build --image-refs ", &[], ":0"),
        ("build --image-refs=", &[], ":0"),
        ("build --sbom-dir ", &[], ":16"),
        ("build --oci-layout-path=", &[], ":16"),
        ("build -t ", &[], ":4"),
        ("build -Pt ", &[], ":4"),
        ("build -- --t", &[], ":0"),
        // Values.
        ("build --compression ", &["estargz", "gzip", "none", "zstd"], ":4"),
        ("build --compression=z", &["zstd"], ":4"),
        ("build --sbom=c", &["cyclonedx"], ":4"),
        ("config --sbom-attach r", &["referrers"], ":4"),
        ("build --push=", &["true", "false"], ":4"),
        ("build -P=f", &["false"], ":4"),
        ("build --platform linux/am", &["linux/amd64"], ":4"),
        ("build --platform=a", &["all"], ":4"),
        ("build --platform=linux/amd64,a", &[], ":4"),
        (
            "build --platform=linux/amd64,linux/a",
            &[
                "linux/amd64,linux/arm",
                "linux/amd64,linux/arm/v6",
                "linux/amd64,linux/arm/v7",
                "linux/amd64,linux/arm64",
            ],
            ":4",
        ),
        ("build --bogus=", &[], ":0"),
        // Flags.
        ("build --pla", &["--platform"], ":4"),
        ("publish --pla", &["--platform"], ":4"),
        ("build --tags a --tag", &["--tag-only", "--tags"], ":4"),
        ("build -ta --tag", &["--tag-only", "--tags"], ":4"),
        ("build --push --pu", &[], ":4"),
        ("build --push --pres", &["--preserve-import-paths"], ":4"),
        ("build -PB --preserve", &[], ":4"),
        ("build -B=false --base-i", &[], ":4"),
        ("build -j", &["-j"], ":4"),
        ("build -t --pla --pla", &["--platform"], ":4"),
        ("login --p", &["--password", "--password-stdin"], ":4"),
        ("version -", &["--strict-exit-codes", "--verbose", "-v", "--help", "-h"], ":4"),
        ("-", &["--help", "-h", "--strict-exit-codes", "--verbose", "-v"], ":4"),
        // With help, nothing else counts; with nonsense, nothing does.
        ("build --help ", &[], ":4"),
        ("nope ", &[], ":0"),
        ("build --bogus ", &[], ":0"),
        ("build -x ", &[], ":0"),
    ] {
        let (found, answered) = candidates(words);
        assert_eq!(
            (found, answered.as_str()),
            (want.iter().map(|&name| name.to_owned()).collect(), directive),
            "{words:?}"
        );
    }
}

/// What the cache knows of the base is offered, and its registry is not asked.
#[test]
fn platforms_are_those_of_the_base() {
    let images = ["linux/amd64", "linux/arm64", "linux/arm/v7"].map(Image::oci);
    let base = images.into_iter().fold(Index::oci(), Index::image).build();
    let mut fixture = Fixture::on(TestRegistry::start(), &base);
    let _ = fixture.module().main(".");
    let (offered, _) = candidates_in(&fixture.sandbox, "build --platform=linux/a");
    assert_eq!(
        offered,
        ["linux/amd64", "linux/arm", "linux/arm/v6", "linux/arm/v7", "linux/arm64"]
    );
    let _ = fixture.build("--bare .").output().success();
    let requests = fixture.registry.counts();
    let platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
    let (offered, _) = candidates_in(&fixture.sandbox, "build --platform ");
    assert_eq!(offered[0], "all");
    assert_eq!(offered[1..], platforms);
    let (offered, _) = candidates_in(&fixture.sandbox, "resolve --platform=linux/amd64,linux/arm6");
    assert_eq!(offered, ["linux/amd64,linux/arm64"]);
    // Of another base nothing is known; of ours, everything.
    let other = format!("build --base={}/other --platform=linux/m", fixture.registry.host());
    assert_eq!(candidates_in(&fixture.sandbox, &other).0, ["linux/mips64le"]);
    let ours = "build --base ko.static --platform=linux/m";
    let mips = ["linux/mips", "linux/mips64", "linux/mips64le", "linux/mipsle"];
    assert_eq!(candidates_in(&fixture.sandbox, ours).0, mips);
    assert_eq!(fixture.registry.counts().total(), requests.total());
    let digest = fixture.built("base", "latest").digest;
    fixture
        .sandbox
        .set("KO_DEFAULTBASEIMAGE", format!("{}/base@{digest}", fixture.registry.host()));
    assert_eq!(candidates_in(&fixture.sandbox, "build --platform ").0[1..], platforms);
}

#[test]
fn descriptions_are_those_of_help() {
    let (stdout, _) = complete("build --image-u");
    assert_eq!(stdout, "--image-user\tThe default user the image should be run as.\n:4\n");
    let (stdout, _) = complete("vers");
    assert_eq!(stdout, "version\tPrint ko version.\n:4\n");
    let sandbox = sandbox();
    let output = sandbox.run(["__completeNoDesc", "vers"]).output().success();
    assert_eq!(output.stdout, "version\n:4\n");
    let output = sandbox.run(["__complete"]).output().failure(1);
    assert_eq!(output.stderr, "Error: requires at least 1 arg(s), only received 0\n");
}

#[test]
fn a_password_is_not_repeated() {
    for words in [
        "login -p hunter2 ",
        "login -phunter2 -",
        "login --password=hunter2 r.io hunter2 ",
        "login -X hunter2 ",
    ] {
        let (stdout, stderr) = complete(words);
        assert!(!format!("{stdout}{stderr}").contains("hunter2"), "{words}: {stdout}{stderr}");
    }
}

#[test]
fn programs_are_offered_as_they_are_typed() {
    let sandbox = sandbox();
    module(&sandbox).main(".").main("cmd/app").main("cmd/web").library("cmd/lib").main("tools/gen");
    let paths = ["app", "app/cmd/app", "app/cmd/web", "app/tools/gen"];
    let paths = paths.map(|path| format!("example.com/{path}"));
    let schemes = paths.clone().map(|path| format!("ko://{path}"));
    for (words, want) in [
        ("build ", &[".", "./cmd/app", "./cmd/web", "./tools/gen"].map(str::to_owned)[..]),
        ("build ./c", &["./cmd/app", "./cmd/web"].map(str::to_owned)),
        ("build -t v1 ./cmd/w", &["./cmd/web".to_owned()]),
        ("build ./cmd/app ./tools/", &["./tools/gen".to_owned()]),
        ("run ./cmd/../tools/", &["./cmd/../tools/gen".to_owned()]),
        ("build exam", &paths),
        ("build example.com/app/cmd/", &paths[1..3]),
        ("build ko://", &schemes),
        ("publish ko://example.com/app/t", &schemes[3..]),
    ] {
        assert_eq!(candidates_in(&sandbox, words), (want.to_vec(), ":4".to_owned()), "{words}");
    }
    assert_eq!(candidates_in(&sandbox, "build ./nope"), (Vec::new(), ":0".to_owned()));
}

#[test]
fn kubectl_completes_what_is_its_own() {
    let mut sandbox = sandbox();
    let kubectl = sandbox.root().join("kubectl");
    write_executable(&kubectl, "#!/bin/sh\nprintf '%s\\n' \"$@\" :4\necho remark >&2\n");
    let dir = sandbox.root().to_owned();
    sandbox.set("PATH", dir);
    for (words, want) in [
        ("apply -f x -- --con", "__complete apply -f - --con"),
        ("create -- get ", "__complete create -f - get "),
        ("delete pod ", "__complete delete pod "),
        ("-v delete -", "__complete delete -"),
        ("run ./x -- --names", "__complete run pod --image image --names"),
    ] {
        let (stdout, stderr) = complete_in(&sandbox, words);
        let want: String = want.split(' ').map(|word| format!("{word}\n")).collect();
        assert_eq!((stdout, stderr), (format!("{want}:4\n"), String::new()), "{words}");
    }
    // Before the dashes, words are ours; and without kubectl, nothing is wrong.
    assert_eq!(candidates_in(&sandbox, "apply --pla").0, ["--platform"]);
    std::fs::remove_file(&kubectl).unwrap();
    assert_eq!(candidates_in(&sandbox, "apply -- --con"), (Vec::new(), ":0".to_owned()));
}

#[test]
fn what_completion_cannot_do() {
    let sandbox = sandbox();
    for (words, want) in [
        (
            &["completion", "tcsh"][..],
            "Error: unknown command \"tcsh\" for \"ko completion\"\n\
             hint: the subcommands are bash, elvish, fish, powershell and zsh\n",
        ),
        (&["completion", "bash", "x"], "Error: unknown command \"x\" for \"ko completion bash\"\n"),
    ] {
        let output = sandbox.run(words).output().failure(1);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", want));
    }
}

#[test]
fn an_unknown_topic_is_told_beside_the_help() {
    let sandbox = sandbox();
    let output = sandbox.run(["help", "nope"]).output().success();
    assert_eq!(output.stdout, "");
    assert!(output.stderr.starts_with("Unknown help topic [`nope`]\n"), "{}", output.stderr);
    assert!(output.stderr.contains("Kubernetes manifests:"), "{}", output.stderr);
    for (word, want) in [("buidl", "build"), ("freshnes", "freshness")] {
        let output = sandbox.run(["help", word]).output().success();
        let want = format!("Unknown help topic [`{word}`]\nhint: did you mean `ko help {want}`?\n");
        assert_eq!((output.stdout.as_str(), output.stderr), ("", want));
    }
}

#[test]
fn verbose_may_stand_anywhere() {
    let sandbox = sandbox();
    for words in [
        "-v version",
        "version -v",
        "--verbose version",
        "version --verbose=false",
        "-v=T version -v",
        "auth -v get --help",
    ] {
        let _ = sandbox.run(words.split(' ')).output().success();
    }
    let output = sandbox.run(["version", "--verbose=maybe"]).output().failure(1);
    assert!(output.stderr.contains("\"-v, --verbose\""), "{}", output.stderr);
}
