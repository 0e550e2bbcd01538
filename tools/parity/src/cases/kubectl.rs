//! `ko apply`, `create`, `delete` and `run`: what reaches kubectl, and what
//! its end means.

use super::manifest::{PLAIN_YAML, WEB_YAML, WORKER_YAML, with_kubectl, without_kubectl};
use super::three;
use crate::case::Case;
use testkit::base::Format;

const MARKED: &str = "a file that begins with `---`, as it is or by what is left of it, begins with an empty document, which kubectl passes over";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = streams();
    cases.extend(failures());
    cases.extend(delete());
    cases.extend(run());
    cases
}

fn web(name: &str, words: &str) -> Case {
    with_kubectl(name, words).file("f.yaml", WEB_YAML)
}

/// What `apply` and `create` send.
fn streams() -> Vec<Case> {
    let all = format!("{WEB_YAML}---\n{WORKER_YAML}---\n{PLAIN_YAML}");
    vec![
        web("apply/one", "apply -f f.yaml"),
        web("create/one", "create -f f.yaml"),
        web("apply/documents", "apply -f f.yaml").file("f.yaml", &all),
        web("apply/no-images", "apply -f f.yaml").file("f.yaml", PLAIN_YAML),
        web("apply/stdin", "apply -f -").stdin(WEB_YAML),
        web("apply/no-files", "apply"),
        web("create/no-files", "create"),
        web("apply/two-files", "apply -f g.yaml -f f.yaml").file("g.yaml", WORKER_YAML),
        web("apply/directory", "apply -f config")
            .file("config/b.yaml", WEB_YAML)
            .file("config/a.yaml", WORKER_YAML)
            .file("config/sub/c.yaml", PLAIN_YAML),
        web("apply/recursive", "apply -R -f config")
            .file("config/b.yaml", WEB_YAML)
            .file("config/sub/c.yaml", PLAIN_YAML),
        web("apply/selector", "apply -f f.yaml -l app=web").file("f.yaml", &all),
        web("apply/selector-of-the-second", "apply -f f.yaml -l app=a")
            .file("f.yaml", &format!("{PLAIN_YAML}---\n{{apiVersion: v1, kind: A, metadata: {{labels: {{app: a}}}}}}\n"))
            .differs("file kubectl.marks", Some("1002\n"), MARKED)
            .differs(
                "file kubectl.stdin.yaml",
                Some("(1000 empty)\n{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"labels\": {\"app\": \"a\"}}}\n(1 empty)"),
                MARKED,
            ),
        web("apply/selector-of-nothing", "apply -f f.yaml -l app=nobody"),
        web("apply/words-after-dashes", "apply -f f.yaml -- --namespace=foo -n bar"),
        web("apply/words-before-dashes", "apply -f f.yaml pos another -- --server-side"),
        web("apply/words-in-between", "apply pos -f f.yaml other"),
        web("create/words-after-dashes", "create -f f.yaml -- --save-config"),
        web("apply/dashes-alone", "apply -f f.yaml --"),
        web("apply/dashes-twice", "apply -f f.yaml -- a -- b"),
        web("apply/tag", "apply -f f.yaml -t v1"),
        web("apply/tag-only", "apply -f f.yaml -t v1 --tag-only"),
        web("apply/bare", "apply -f f.yaml --bare"),
        web("apply/image-refs", "apply -f f.yaml -B --image-refs=refs.txt"),
        web("apply/platforms", "apply -f f.yaml --platform=all").base(three(Format::Docker)),
        web("apply/verbose-off", "apply -f f.yaml -v=false"),
        web("create/documents", "create -f f.yaml").file("f.yaml", &all),
        web("apply/deaf", "apply -f f.yaml").env("KUBECTL_DEAF", "1"),
    ]
}

/// What goes wrong, and whose code counts.
fn failures() -> Vec<Case> {
    let wrong = |name, words: &str, text: &str| web(name, words).file("f.yaml", text);
    let without = |name, words: &str| {
        Case::command(name, words)
            .module(without_kubectl)
            .env("PATH", "{work}/tools")
            .file("f.yaml", WEB_YAML)
    };
    vec![
        web("apply/kubectl-fails", "apply -f f.yaml")
            .env("KUBECTL_EXIT", "3")
            .fails("error executing 'kubectl apply': exit status 3"),
        web("create/kubectl-fails", "create -f f.yaml")
            .env("KUBECTL_EXIT", "1")
            .fails("error executing 'kubectl create': exit status 1"),
        web("apply/kubectl-fails-deaf", "apply -f f.yaml")
            .env("KUBECTL_EXIT", "5")
            .env("KUBECTL_DEAF", "1")
            .fails("error executing 'kubectl apply': exit status 5"),
        wrong("apply/not-yaml", "apply -f f.yaml", "a: [\n")
            .fails("error processing import paths in \"f.yaml\": "),
        wrong("apply/library", "apply -f f.yaml", "a: ko://example.com/app/lib\n")
            .fails("found strict reference but "),
        wrong("create/library", "create -f f.yaml", "a: ko://example.com/app/lib\n")
            .fails("found strict reference but "),
        wrong("apply/compile-error", "apply -f f.yaml", "a: ko://example.com/app/broken\n")
            .fails("go build: exit status 1"),
        web("apply/unknown-flag", "apply -f f.yaml --namespace=foo")
            .fails("unknown flag: --namespace"),
        web("create/unknown-flag", "create -f f.yaml -n foo")
            .fails("unknown shorthand flag: 'n' in -n"),
        web("apply/removed-flag", "apply -f f.yaml --watch").fails("unknown flag: --watch"),
        web("apply/removed-short-flag", "apply -f f.yaml -W")
            .fails("unknown shorthand flag: 'W' in -W"),
        web("apply/wrong-selector", "apply -f f.yaml -l a==b==c").fails("unable to parse selector"),
        web("apply/no-repository", "apply -f f.yaml")
            .unset("KO_DOCKER_REPO")
            .fails("KO_DOCKER_REPO environment variable is unset"),
        without("apply/no-kubectl", "apply -f f.yaml").fails(
            "Error: error: kubectl is not available. kubectl must be installed to use ko apply",
        ),
        without("create/no-kubectl", "create -f f.yaml").fails(
            "Error: error: kubectl is not available. kubectl must be installed to use ko create",
        ),
        without("apply/no-kubectl-nor-repository", "apply -f f.yaml")
            .unset("KO_DOCKER_REPO")
            .fails("kubectl is not available"),
        without("delete/no-kubectl", "delete -f f.yaml").fails(
            "Error: error: kubectl is not available. kubectl must be installed to use ko delete",
        ),
        without("run/no-kubectl", "run ./cmd/web").fails("kubectl").differs(
            "tags out/web-a565b91425c9491d60376a2fdde58a72",
            None,
            "ours looks for kubectl before it builds; ko has pushed the image by then",
        ),
    ]
}

fn delete() -> Vec<Case> {
    vec![
        web("delete/file", "delete -f f.yaml"),
        web("delete/stdin", "delete -f -").stdin("a: b\n"),
        web("delete/words", "delete pod name --namespace=foo --now -n bar -- x"),
        web("delete/flag-before", "-v=false delete pod x"),
        web("delete/nothing", "delete"),
        web("delete/ko-flags-are-not-read", "delete --push=maybe --platform"),
        web("delete/kubectl-fails", "delete pod x")
            .env("KUBECTL_EXIT", "4")
            .fails("Error: exit status 4"),
        web("delete/no-repository", "delete pod x").unset("KO_DOCKER_REPO"),
    ]
}

fn run() -> Vec<Case> {
    let web = |name, words: &str| with_kubectl(name, &format!("run {words}"));
    vec![
        web("run/one", "./cmd/web"),
        web("run/import-path", "example.com/app/cmd/web"),
        web("run/with-scheme", "ko://example.com/app/cmd/web"),
        web("run/flags", "./cmd/web -B -t v1 --image-label=a=b"),
        web("run/bare", "./cmd/web --bare"),
        web("run/tag-only", "./cmd/web -t v1 --tag-only"),
        web("run/words-after-dashes", "./cmd/web -- -n foo --env=A=b"),
        web("run/words-for-the-program", "./cmd/web -- -n foo -- --flag word"),
        web("run/dashes-alone", "./cmd/web --"),
        web("run/stdin", "./cmd/web").stdin("a: b\n"),
        web("run/unknown-flag", "./cmd/web --nope -B"),
        web("run/unknown-flag-with-value", "./cmd/web --nope value -B"),
        web("run/module-root", ".").file("main.go", "package main\n\nfunc main() {}\n"),
        web("run/image-refs", "./cmd/web -B --image-refs=refs.txt"),
        web("run/platform", "./cmd/web --platform=linux/arm64").base(three(Format::Docker)),
        web("run/kubectl-fails", "./cmd/web")
            .env("KUBECTL_EXIT", "7")
            .fails("Error: exit status 7"),
        web("run/nothing", "").fails("Error: ko run: no importpaths listed"),
        web("run/flag-first", "-B ./cmd/web")
            .fails("expected first arg to be positional, got \"-B\""),
        web("run/library", "./lib").fails("importpath is not `package main`"),
        web("run/compile-error", "./broken").fails("go build: exit status 1"),
        web("run/no-repository", "./cmd/web")
            .unset("KO_DOCKER_REPO")
            .fails("KO_DOCKER_REPO environment variable is unset"),
    ]
}
