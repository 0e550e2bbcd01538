//! `kind.local`: what reaches the nodes of a cluster. Its provider is a script
//! that has two nodes and a load balancer, and notes what each is told.

use super::modules::write;
use super::{app, three};
use crate::case::{Case, WEB};
use std::path::Path;
use testkit::base::{Format, Image};

const FULL: &str = "a name is written in full, as Kubernetes looks for it";

pub(super) fn cases() -> Vec<Case> {
    let one = || Image::docker("linux/amd64").build();
    vec![
        web("kind/plain", ""),
        web("kind/docker-base", "").base(one()),
        web("kind/tag", "-t v1"),
        web("kind/tags", "-t v2,v1,latest"),
        web("kind/tag-only", "-t v1 --tag-only"),
        bare(),
        web("kind/base-import-paths", "-B"),
        web("kind/preserve-import-paths", "-P -t v1"),
        web("kind/below", "-B").env("KO_DOCKER_REPO", "kind.local/team"),
        web("kind/named-alike", "-B").env("KO_DOCKER_REPO", "kind.localhost/team"),
        web("kind/not-pushed", "--push=false"),
        web("kind/image-refs", "--image-refs=refs.txt"),
        web("kind/index", "").base(three(Format::Docker)),
        web("kind/another-cluster", "").env("KIND_CLUSTER_NAME", "dev"),
        on_nodes("kind/two-mains", "build ./cmd/web ./cmd/worker")
            .pushed_by("./cmd/web ./cmd/worker"),
        on_nodes("kind/resolve", "resolve -f x.yaml -t v1")
            .file("x.yaml", "image: ko://example.com/app/cmd/web\n")
            .pushed_by("./cmd/web"),
        web("kind/no-cluster", "")
            .env("KIND_CLUSTER_NAME", "prod")
            .fails("no nodes found for cluster \"prod\""),
        web("kind/node-fails", "")
            .env("BROKEN", "dev-worker")
            .fails("failed to load image to node \"dev-worker\": "),
    ]
}

fn web(name: &str, words: &str) -> Case {
    on_nodes(name, &format!("build ./cmd/web {words}")).pushed_by("./cmd/web")
}

fn on_nodes(name: &str, words: &str) -> Case {
    Case::command(name, words)
        .module(provider)
        .env("PATH", "{work}/bin:{path}")
        .env("KO_DOCKER_REPO", "kind.local")
}

/// Kubernetes looks for a name without a registry where Docker Hub's are.
fn bare() -> Case {
    let name = "docker.io/library/kind.local";
    let tagged = format!("images tag --force {name}:[{WEB}:latest] {name}:latest\n");
    let mut case = web("kind/bare", "--bare");
    for node in ["dev-control-plane", "dev-worker"] {
        case = case.differs(&format!("file {node}.kind.local:latest.txt"), Some(&tagged), FULL);
    }
    case
}

/// What each node is told is noted, each name in a file of its own: ours tells
/// them all at once.
const DOCKER: &str = r#"#!/bin/sh
case "$1" in
-v) echo "Docker version 1.2.3, build abc" ;;
ps)
    case "$4" in
    *=kind | *=dev) printf 'dev-lb\ndev-control-plane\ndev-worker\n' ;;
    esac ;;
inspect)
    shift 3
    for node in "$@"; do
        case "$node" in
        dev-lb) echo external-load-balancer ;;
        *) echo "${node#dev-}" ;;
        esac
    done ;;
exec)
    shift 2
    [ "$1" = -i ] && shift
    node=$1
    shift 3
    case "$*" in
    "images import"*)
        cat >/dev/null
        if [ "$node" = "$BROKEN" ]; then
            echo "out of order" >&2
            exit 1
        fi
        echo imported >>"$node.imports.txt" ;;
    "images tag"*) echo "$*" >>"$node.${5##*/}.txt" ;;
    esac ;;
esac
"#;

fn provider(dir: &Path) {
    app(dir);
    write(dir, "bin/docker", DOCKER);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.join("bin/docker"), mode).expect("the file is ours");
    }
}
