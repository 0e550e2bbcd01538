//! `-l`: which objects stay.

use super::manifest::{PLAIN_YAML, REF, WEB_YAML, WORKER_YAML, resolve};
use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = requirements();
    cases.extend(objects());
    cases.extend(refused());
    cases
}

/// A case of the three manifests.
fn select(name: &str, selector: &str) -> Case {
    let all = format!("{WEB_YAML}---\n{WORKER_YAML}---\n{PLAIN_YAML}");
    resolve(name, "-f f.yaml").arg("-l").arg(selector).file("f.yaml", &all)
}

fn requirements() -> Vec<Case> {
    vec![
        select("selector/equals", "app=web"),
        select("selector/equals-twice", "app==web"),
        select("selector/not-equals", "app!=web"),
        select("selector/in", "app in (web, worker)"),
        select("selector/not-in", "app notin (web)"),
        select("selector/exists", "tier"),
        select("selector/exists-not", "!tier"),
        select("selector/greater", "weight>6"),
        select("selector/less", "weight<7"),
        select("selector/two", "app=web,tier=front"),
        select("selector/two-of-which-one-fails", "app=web,tier=back"),
        select("selector/spaces", " app = web , tier "),
        select("selector/empty-value", "app="),
        select("selector/empty", ""),
        select("selector/prefix", "example.com/app=web")
            .file("f.yaml", &WEB_YAML.replace("app: web", "example.com/app: web")),
        select("selector/last-of-two-flags", "app=web").arg("--selector=app=worker"),
        select("selector/nothing-matches", "app=nobody"),
    ]
}

/// What an object is.
fn objects() -> Vec<Case> {
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata: {{labels: {{app: web}}}}\n  image: {REF}\n- apiVersion: v1\n  kind: B\n  metadata:\n    labels: {{app: worker}}\n  image: ko://example.com/app/lib\n"
    );
    let on = |name, text: &str| resolve(name, "-f f.yaml -l app=web").file("f.yaml", text);
    vec![
        on("selector/list", &list),
        on("selector/list-that-gets-empty", &list.replace("app: web", "app: other")),
        on("selector/list-of-a-kind", &list.replace("kind: List", "kind: ThingList")),
        on(
            "selector/dropped-is-not-checked",
            &format!("{WEB_YAML}---\n{}", WORKER_YAML.replace("cmd/worker", "lib")),
        ),
        on(
            "selector/dropped-is-not-built",
            &format!("{PLAIN_YAML}---\n{WEB_YAML}---\n{WORKER_YAML}"),
        ),
        on(
            "selector/empty-documents",
            &format!("---\n---\n{WEB_YAML}---\n# nothing\n---\n{PLAIN_YAML}"),
        ),
        on("selector/no-labels", &format!("{PLAIN_YAML}---\n{WEB_YAML}")),
        on("selector/labels-null", "apiVersion: v1\nkind: A\nmetadata:\n  labels:\n"),
        on(
            "selector/json",
            "{\"apiVersion\": \"v1\", \"kind\": \"A\", \"metadata\": {\"labels\": {\"app\": \"web\"}}}\n",
        ),
        on(
            "selector/quoted-labels",
            "apiVersion: 'v1'\nkind: \"A\"\nmetadata:\n  'labels':\n    \"app\": 'web'\n",
        ),
        on("selector/several-files", WEB_YAML).arg("-f").arg("g.yaml").file("g.yaml", WORKER_YAML),
    ]
}

fn refused() -> Vec<Case> {
    let on = |name, text: &str| {
        resolve(name, "-f f.yaml -l app=web")
            .file("f.yaml", text)
            .fails("error processing import paths in \"f.yaml\": ")
    };
    vec![
        select("selector/wrong", "app=web=x").fails("unable to parse selector"),
        select("selector/wrong-key", "a b=c").fails("unable to parse selector"),
        select("selector/wrong-value", "app=w/b").fails("unable to parse selector"),
        select("selector/unclosed", "app in (web").fails("unable to parse selector"),
        select("selector/number-wanted", "weight>many").fails("unable to parse selector"),
        on("selector/no-object", "a: b\n").fails("yaml doesn't represent a k8s object"),
        on("selector/no-kind", "apiVersion: v1\n").fails("yaml doesn't represent a k8s object"),
        on("selector/scalar", "text\n").fails("yaml doesn't represent a k8s object"),
        on("selector/list-without-items", "apiVersion: v1\nkind: List\n")
            .fails("yaml is not a valid k8s list"),
        on("selector/list-of-no-objects", "apiVersion: v1\nkind: List\nitems:\n- a: 1\n")
            .fails("yaml doesn't represent a k8s object"),
    ]
}
