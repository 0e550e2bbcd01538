//! Engines that are not there, and what cannot go into one.

use super::last_words;
use crate::fixture::{build, module, sandbox};
use std::fs;

#[test]
fn told_before_anything_is_built() {
    let mut sandbox = sandbox();
    let _ = module(&sandbox).main(".");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    let config = sandbox.root().join("docker");
    fs::create_dir_all(&config).unwrap();
    let (needs, start) = (
        "--tarball cannot be used with KO_DOCKER_REPO=ko.local: images are loaded there, and go nowhere else\n",
        "hint: start it, as with `sudo systemctl start docker`, Docker Desktop or `colima start`, or set DOCKER_HOST; --tarball and KO_DOCKER_REPO=oci:DIR need no engine\n",
    );
    for (repository, words, host, context, want) in [
        ("", "-L", "unix:///nowhere", "", format!("failed to publish images: no engine answers: tried unix:///nowhere (DOCKER_HOST): Socket not found\n{start}")),
        ("docker://", "", "ssh://me:secret@there", "", "failed to publish images: ssh://me:…@there (DOCKER_HOST): ssh takes no passwords: use a key or an agent\n".to_owned()),
        ("ko.local", "", "", "away", "failed to publish images: there is no Docker context away (known: default)\nhint: `docker context ls` lists them; `docker context use` takes another\n".to_owned()),
        ("ko.local", "--tarball=a.tar", "", "", format!("error creating publisher: {needs}")),
        ("ko.local", "--tarball=a.tar --oci-layout-path=a", "", "", format!("error creating publisher: {}", needs.replace("tarball", "oci-layout-path"))),
        ("oci:x", "-L", "", "", "error creating publisher: --local and KO_DOCKER_REPO=oci: cannot both be used\n".to_owned()),
        ("ko.local/Upper", "", "", "", "error creating publisher: failed to parse \"ko.local/Upper\" as repository: repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: Upper\nhint: names of repositories are in lower case: KO_DOCKER_REPO=ko.local/upper\n".to_owned()),
    ] {
        let run = build(&sandbox, words).env("KO_DOCKER_REPO", repository);
        let run = run.env("DOCKER_HOST", host).env("DOCKER_CONTEXT", context);
        let output = run.env("DOCKER_CONFIG", &config).output();
        assert!(!output.stderr.contains("Building"), "{}", output.stderr);
        assert_eq!(last_words(&output), format!("Error: {want}"), "{repository} {words}");
    }
}
