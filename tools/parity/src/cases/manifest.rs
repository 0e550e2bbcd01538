//! What the cases of `resolve` and its like share: manifests, and a kubectl
//! that notes what it is told.

use super::modules::{app, write};
use crate::case::Case;
use std::path::Path;

/// The reference to `cmd/web`.
pub(super) const REF: &str = "ko://example.com/app/cmd/web";

/// A deployment of `cmd/web`.
pub(super) const WEB_YAML: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    app: web
    tier: front
spec:
  template:
    spec:
      containers:
      - name: web
        image: ko://example.com/app/cmd/web
";

/// A job of `cmd/worker`.
pub(super) const WORKER_YAML: &str = "\
apiVersion: batch/v1
kind: Job
metadata:
  name: worker
  labels: {app: worker, tier: back, weight: '7'}
spec:
  template:
    spec:
      containers:
      - image: ko://example.com/app/cmd/worker
";

/// Something without an image.
pub(super) const PLAIN_YAML: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: plain
data:
  key: value
";

/// Begins a case of `ko resolve`.
pub(super) fn resolve(name: &str, words: &str) -> Case {
    Case::command(name, &format!("resolve {words}"))
}

/// Begins a case of `ko resolve` on one file.
pub(super) fn on(name: &str, text: &str) -> Case {
    resolve(name, "-f f.yaml").file("f.yaml", text)
}

/// Begins a case of a command that calls kubectl. Ours is called with the
/// same words, and gets the same data.
pub(super) fn with_kubectl(name: &str, words: &str) -> Case {
    Case::command(name, words).module(kubectl).env("PATH", "{work}/bin:{path}")
}

/// Notes its words and its input in the working directory, says something on
/// both outputs, and ends as variables say.
const KUBECTL: &str = r#"#!/bin/sh
{
    for word in "$@"; do
        printf '[%s] ' "$word"
    done
    echo
} >> kubectl.words
if [ -z "$KUBECTL_DEAF" ]; then
    cat > kubectl.stdin.yaml
    grep -c '^---$' kubectl.stdin.yaml > kubectl.marks
fi
echo "kubectl $1"
echo "kubectl says something" >&2
exit "${KUBECTL_EXIT:-0}"
"#;

fn kubectl(dir: &Path) {
    app(dir);
    write(dir, "bin/kubectl", KUBECTL);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.join("bin/kubectl"), mode).expect("the file is ours");
    }
}

/// A search path on which there is go, and no kubectl.
pub(super) fn without_kubectl(dir: &Path) {
    app(dir);
    let go = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|dir| dir.join("go")).find(|file| file.is_file())
    });
    let go = go.expect("go is installed");
    write(dir, "tools/go", &format!("#!/bin/sh\nexec {} \"$@\"\n", go.display()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.join("tools/go"), mode).expect("the file is ours");
    }
}
