//! The same commit gives the same images and SBOMs, whoever builds it, where,
//! when and from which cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::module::Module;
use testkit::sandbox::Sandbox;

use crate::fixture::sandbox;
use crate::services::run;

const COMPRESSIONS: [&str; 4] = ["gzip", "estargz", "zstd", "none"];

/// Who builds, and how.
struct Builder {
    user: &'static str,
    umask: &'static str,
    zone: &'static str,
    jobs: &'static str,
}

/// The repository that is cloned: a program with kodata of which one file may
/// be executed, and which takes more than one block to compress.
fn repository(dir: &Path) {
    let module = Module::new(dir, "example.com/app").main(".").kodata(".", 5, 3);
    let _ = module.file("kodata/sub/run.sh", "#!/bin/sh\n").link("kodata/link", "sub/run.sh");
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(words);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        run(git.current_dir(dir))
    };
    run(Command::new("chmod").arg("755").arg(dir.join("kodata/sub/run.sh")));
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=one"]);
}

/// A sandbox whose commands run as the user, under the umask.
fn sandbox_of(builder: &Builder) -> Sandbox {
    let mut sandbox = Sandbox::new("setpriv");
    sandbox.set("KO_DEFAULTBASEIMAGE", "ko.static");
    sandbox.set("TZ", builder.zone);
    sandbox.set("GOCACHE", sandbox.root().join("gocache"));
    sandbox.set("GIT_CONFIG_GLOBAL", "/dev/null");
    sandbox.set("GIT_CONFIG_NOSYSTEM", "1");
    sandbox
}

/// Runs a command line in a directory of a sandbox.
fn execute(sandbox: &Sandbox, builder: &Builder, dir: &Path, command: &[&str]) -> String {
    let shell = format!("umask {} && exec \"$@\"", builder.umask);
    let (uid, gid) = (format!("--reuid={}", builder.user), format!("--regid={}", builder.user));
    let words = [&uid, &gid, "--clear-groups", "--", "sh", "-c", &shell, "sh"];
    let run = sandbox.run([&words[..], command].concat()).cwd(dir);
    run.output().success().stdout
}

/// What comes out of a clone of the repository in `into`: references and
/// SBOMs, by cache, compression and file.
fn products(repository: &Path, into: &str, builder: &Builder) -> BTreeMap<String, String> {
    let sandbox = sandbox_of(builder);
    // The command too lies where this user can read it.
    let ko = sandbox.root().join("ko");
    fs::copy(env!("CARGO_BIN_EXE_ko"), &ko).unwrap();
    // git asks who owns what it clones.
    run(Command::new("chown").args(["-R", builder.user]).arg(sandbox.root()).arg(repository));
    let clone = ["git", "clone", "--quiet", repository.to_str().unwrap(), into];
    execute(&sandbox, builder, &sandbox.work(), &clone);
    let mut products = BTreeMap::new();
    for (cache, compression) in
        ["cold", "warm"].into_iter().flat_map(|cache| COMPRESSIONS.map(|it| (cache, it)))
    {
        let name = format!("{cache} {compression}");
        let sboms = sandbox.root().join(&name);
        let words = [
            ko.to_str().unwrap(),
            "build",
            "--push=false",
            "--platform=linux/amd64,linux/arm64",
            &format!("--jobs={}", builder.jobs),
            &format!("--compression={compression}"),
            &format!("--sbom-dir={}", sboms.display()),
        ];
        let reference = execute(&sandbox, builder, &sandbox.work().join(into), &words);
        products.insert(name.clone(), reference);
        for document in fs::read_dir(sboms).unwrap() {
            let document = document.unwrap();
            let name = format!("{name} {}", document.file_name().display());
            products.insert(name, fs::read_to_string(document.path()).unwrap());
        }
    }
    products
}

#[test]
fn checkouts_users_umasks_zones_and_caches_change_nothing() {
    let origin = sandbox();
    let repository_dir = origin.root().join("repository");
    repository(&repository_dir);
    run(Command::new("chmod").arg("-R").arg("a+rX").arg(origin.root()));
    let one = Builder { user: "0", umask: "022", zone: "UTC", jobs: "1" };
    let other = Builder { user: "65534", umask: "077", zone: "Asia/Tokyo", jobs: "8" };
    let one = products(&repository_dir, "app", &one);
    let other = products(&repository_dir, "some/where else/app", &other);
    assert_eq!(one.len(), 2 * COMPRESSIONS.len() * 4);
    for (name, product) in &one {
        assert_eq!(other[name], *product, "{name}");
        assert_eq!(one[&name.replace("warm", "cold")], *product, "{name}");
    }
}
