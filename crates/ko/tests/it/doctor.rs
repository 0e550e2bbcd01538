//! `ko doctor` on set-ups that are broken in one way each: it says which, and how to
//! mend it.

mod builds;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use report::{Check, Doctor, Status};
use serde_json::json;
use testkit::base::{Image, Index};
use testkit::registry::{Auth, Bearer, Class, Fault, Protocol, Rule, TestRegistry};
use testkit::sandbox::{Run, Sandbox};

use crate::errors::cache::Mount;
use crate::fixture::Fixture;
use crate::spy::write_executable;

/// The programs of this machine that everything needs.
const PROGRAMS: [&str; 4] = ["go", "git", "env", "setpriv"];

/// The user who owns what is not ours.
const STRANGER: u32 = 12_345;

/// Nothing is wrong, whatever the machine has: PATH leads to go, git, this ko, and a
/// kubectl without a cluster.
fn healthy(registry: TestRegistry) -> Fixture {
    let mut fixture = Fixture::on(registry, &Image::oci("linux/amd64").build());
    let _ = fixture.module().main(".");
    let init = ["init", "--quiet"];
    let git = Command::new("git").args(init).current_dir(fixture.sandbox.work()).status();
    assert!(git.unwrap().success());
    let path = path_of(&fixture.sandbox, &PROGRAMS);
    symlink(env!("CARGO_BIN_EXE_ko"), path.join("ko")).unwrap();
    let kubectl =
        "#!/bin/sh\ncase $1 in version) echo 'Client Version: v1.34.4' ;; *) exit 1 ;; esac\n";
    write_executable(&path.join("kubectl"), kubectl);
    fixture.sandbox.set("PATH", &path);
    // Where an engine of this machine is not.
    fixture.sandbox.set("DOCKER_HOST", "unix:///nowhere");
    fixture.sandbox.set("CONTAINER_HOST", "unix:///nowhere");
    fixture
}

/// A directory with links to programs of this machine.
fn path_of(sandbox: &Sandbox, programs: &[&str]) -> PathBuf {
    let dir = sandbox.root().join("path");
    fs::create_dir(&dir).unwrap();
    for program in programs {
        let which = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        let found = String::from_utf8(which.unwrap().stdout).unwrap();
        let found = Path::new(found.trim()).canonicalize().unwrap();
        symlink(found, dir.join(program)).unwrap();
    }
    dir
}

fn doctor(fixture: &Fixture) -> Run<'_> {
    fixture.sandbox.run(["doctor", "--output=json"])
}

/// What it finds. The exit code fits the status.
#[track_caller]
fn found(run: Run<'_>) -> Doctor {
    let output = run.output();
    let value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let found: Doctor = serde_json::from_value(value).unwrap();
    let code = i32::from(found.status == Status::Problem);
    assert_eq!((output.code, &*output.stderr), (Some(code), ""), "{found:#?}");
    found
}

/// The check of a broken set-up, and nothing else is a problem.
#[track_caller]
fn broken(run: Run<'_>, name: &str, status: Status) -> Check {
    let found = found(run);
    let others = found.checks.iter().filter(|check| check.name != name);
    let others: Vec<&Check> = others.filter(|check| check.status == Status::Problem).collect();
    assert!(others.is_empty(), "{others:#?}");
    let of = found.checks.iter().filter(|check| check.name == name);
    let worst = of.max_by_key(|check| check.status);
    let worst = worst.unwrap_or_else(|| panic!("no {name} in {found:#?}"));
    assert_eq!(worst.status, status, "{worst:#?}");
    worst.clone()
}

/// The same with the words that it says, and those of the hint.
#[track_caller]
fn says(run: Run<'_>, (name, status): (&str, Status), message: &str, hint: &str) -> Check {
    let check = broken(run, name, status);
    let found = check.hint.as_deref().unwrap_or_default();
    assert!(check.message.contains(message) && found.contains(hint), "{check:#?}");
    check
}

#[test]
fn nothing_is_wrong() {
    let fixture = healthy(TestRegistry::start());
    let found = found(doctor(&fixture));
    // How full the disks of this machine are is its own matter.
    let checks = found.checks.iter().filter(|check| check.name != "disk");
    let wrong: Vec<&Check> = checks.clone().filter(|check| check.status != Status::Ok).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let names: Vec<&str> = checks.map(|check| &*check.name).collect();
    assert_eq!(
        names,
        [
            "configuration",
            "destination",
            "builds",
            "ko",
            "go",
            "module",
            "git",
            "kubectl",
            "docker",
            "podman",
            "push",
            "base",
            "clock",
            "cache",
            "temporary"
        ]
    );
    let check = |name: &str| found.checks.iter().find(|check| check.name == name).unwrap();
    let host = fixture.registry.host();
    assert_eq!(check("module").facts["path"], "example.com/app");
    assert_eq!(check("push").facts["credentials"], "none");
    let asked = &check("push").facts["repository"];
    assert!(asked.starts_with(&format!("{host}/out/app-")), "{asked}");
    // What was opened to ask is closed, and nothing was made.
    assert_eq!(fixture.registry.counts().of(Class::UploadPost), 1);
    assert_eq!(fixture.registry.open_uploads(), 0);
    assert_eq!(fixture.registry.repositories(), ["base"]);

    let output = fixture.sandbox.run(["doctor"]).output().success();
    assert_eq!(output.stderr, "");
    let lines: Vec<&str> = output.stdout.lines().collect();
    let of = |name: &str| {
        let line = lines.iter().find(|line| line[9..].starts_with(name));
        line.unwrap_or_else(|| panic!("{}", output.stdout))
    };
    assert_eq!(
        of("module"),
        &format!(
            "ok       module        example.com/app ({}/go.mod)",
            fixture.sandbox.work().display()
        )
    );
    assert_eq!(
        of("push"),
        &format!("ok       push          {asked} may be pushed to; credentials: none")
    );
    assert!(lines.last().unwrap().starts_with("0 problems, "), "{}", output.stdout);
    assert!(!output.stdout.contains('\u{1b}'));
    let run = || fixture.sandbox.run(["doctor"]).env("CLICOLOR_FORCE", "1");
    let coloured = run().output().success().stdout;
    assert!(coloured.starts_with("\u{1b}[32mok\u{1b}[0m       configuration "), "{coloured}");
    let plain = run().env("NO_COLOR", "1").output().success().stdout;
    assert!(!plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn go_is_missing_too_old_or_unknown() {
    let fixture = healthy(TestRegistry::start());
    let go = fixture.sandbox.root().join("path/go");
    let real = go.canonicalize().unwrap();
    let problem = ("go", Status::Problem);
    let run = doctor(&fixture).env("KO_GO_PATH", "/nowhere/go");
    let _ = says(run, problem, "/nowhere/go is not an executable file", "KO_GO_PATH is the path");
    fs::remove_file(&go).unwrap();
    let _ = says(doctor(&fixture), problem, "'go' not found in PATH", "install Go from");

    write_executable(
        &go,
        &format!("#!/bin/sh\n{} \"$@\" | sed 's/\"go1[^\"]*\"/\"go1.99.0\"/'\n", real.display()),
    );
    let warning = ("go", Status::Warning);
    fs::copy("/bin/sed", fixture.sandbox.root().join("path/sed")).unwrap();
    let run = doctor(&fixture);
    let check = says(run, warning, "go1.99.0", "KO_FRESH_UNPROVEN_GO=1 trusts it");
    assert_eq!((&*check.facts["version"], &*check.facts["known"]), ("go1.99.0", "false"));
    let run = doctor(&fixture).env("KO_FRESH_UNPROVEN_GO", "1");
    let _ = says(run, ("go", Status::Ok), "KO_FRESH_UNPROVEN_GO=1 trusts it", "");

    fs::remove_file(&go).unwrap();
    symlink(real, &go).unwrap();
    let _ = fixture.module().file("go.mod", "module example.com/app\n\ngo 1.99\n");
    let _ = says(
        doctor(&fixture),
        ("module", Status::Problem),
        "go.mod requires go >= 1.99",
        "install that release of Go",
    );
    let run = doctor(&fixture).env("GOTOOLCHAIN", "auto");
    let _ = says(run, problem, "go1.99.0", "want another release of Go: install that");
}

#[test]
fn programs_are_missing_or_others() {
    let fixture = healthy(TestRegistry::start());
    let path = fixture.sandbox.root().join("path");
    let warning = |name| (name, Status::Warning);
    let run = doctor(&fixture).env("KUBECONFIG", "/nowhere/config");
    let _ = says(
        run,
        warning("kubectl"),
        "KUBECONFIG names /nowhere/config, which is not there",
        "unset it",
    );
    chown(fixture.sandbox.work(), Some(STRANGER), None).unwrap();
    let dir = fixture.sandbox.work().display().to_string();
    let hint = format!("`git config --global --add safe.directory {dir}`");
    let _ = says(doctor(&fixture), ("git", Status::Problem), "another user's", &hint);
    for name in ["git", "kubectl", "ko"] {
        fs::remove_file(path.join(name)).unwrap();
    }
    write_executable(&path.join("ko"), "#!/bin/sh\necho 0.19.1\n");
    let _ = says(doctor(&fixture), warning("git"), "not in PATH", "install git");
    let _ = says(doctor(&fixture), warning("kubectl"), "not in PATH", "kubernetes.io");
    let first = format!("PATH leads to another first: 0.19.1 at {}/ko", path.display());
    let _ = says(doctor(&fixture), warning("ko"), &first, "put the directory of");
}

/// With these credentials for the registry.
fn logged_in(registry: TestRegistry, password: &str) -> Fixture {
    let fixture = healthy(registry);
    let auth = base64(&format!("me:{password}"));
    let host = fixture.registry.host();
    fixture.sandbox.docker_config(&json!({"auths": {host: {"auth": auth}}}));
    fixture
}

fn base64(text: &str) -> String {
    let script = format!("printf %s '{text}' | base64");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_registry_refuses_the_credentials() {
    let auth = Auth::Bearer(Bearer { anonymous_pull: true, ..Bearer::new("me", "right") });
    let fixture = logged_in(TestRegistry::builder().auth(auth).start(), "hunter2");
    let output = doctor(&fixture).output();
    assert!(!output.stdout.contains("hunter2") && !output.stdout.contains(&base64("me:hunter2")));
    let found: Doctor = serde_json::from_str(&output.stdout).unwrap();
    let push = found.checks.iter().find(|check| check.name == "push").unwrap();
    let config = fixture.sandbox.root().join("docker/config.json").display().to_string();
    assert_eq!(push.status, Status::Problem);
    assert!(push.message.contains("cannot be pushed to"), "{push:#?}");
    assert!(push.message.contains("UNAUTHORIZED"), "{push:#?}");
    assert_eq!(push.facts["credentials"], config);
    assert!(push.hint.as_ref().unwrap().contains("log in again"), "{push:#?}");
}

#[test]
fn the_registry_lets_us_read_and_not_push() {
    let fixture = healthy(TestRegistry::start());
    let denied = Fault::status(403, "DENIED");
    fixture.registry.inject(Rule::new(denied).class(Class::UploadPost));
    let push = ("push", Status::Problem);
    let _ = says(doctor(&fixture), push, "may be read, and not pushed to: ", "log in with");

    // In Amazon's, repositories have to be made; this one is there.
    fixture.registry.clear_faults();
    let unknown = Fault::status(404, "NAME_UNKNOWN");
    fixture.registry.inject(Rule::new(unknown).class(Class::UploadPost).path("/out/app-"));
    let out = format!("{}/out", fixture.registry.host());
    let push = ("push", Status::Warning);
    let _ = says(doctor(&fixture), push, &format!("{out} may be pushed to, and "), "--bare");
    let run = fixture.sandbox.run(["doctor", "--output=json", "--bare"]);
    let check = says(run, ("push", Status::Ok), &format!("{out} may be pushed to"), "");
    assert_eq!(check.facts["repository"], out);
}

#[test]
fn an_upload_may_stay() {
    let fixture = healthy(TestRegistry::start());
    fixture.registry.inject(Rule::new(Fault::status(405, "UNSUPPORTED")).method("DELETE"));
    let said = "the upload that was opened to ask is not cancelled";
    let _ = says(doctor(&fixture), ("push", Status::Ok), said, "");
    fixture.registry.reset();
    let run = fixture.sandbox.run(["doctor", "--output=json", "--no-preflight"]);
    let _ = says(run, ("push", Status::Ok), "is not asked (--no-preflight)", "");
    assert_eq!(fixture.registry.counts().of(Class::UploadPost), 0);
}

#[test]
fn the_certificate_is_of_nobody() {
    let fixture = healthy(TestRegistry::builder().tls(Protocol::Http2).start());
    let found = found(doctor(&fixture));
    for name in ["push", "base"] {
        let check = found.checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.status, Status::Problem);
        assert!(check.message.contains("cannot trust the registry"), "{check:#?}");
        assert!(check.hint.as_ref().unwrap().contains("SSL_CERT_FILE"), "{check:#?}");
    }
    let ca = fixture.sandbox.root().join("ca.pem");
    fs::write(&ca, fixture.registry.ca_pem().unwrap()).unwrap();
    let _ = broken(doctor(&fixture).env("SSL_CERT_FILE", ca), "push", Status::Ok);
}

#[test]
fn what_a_template_names_is_asked_for() {
    let fixture = healthy(TestRegistry::start());
    let config = "builds: [{id: web, naming: 'of-{{.ID}}'}]\nnaming: '{{.Base}}-all'\n";
    let _ = fixture.module().file(".ko.yaml", config);
    let push = ("push", Status::Ok);
    let _ = says(doctor(&fixture), push, "/out/of-web may be pushed to", "");
    let flags = ["doctor", "--output=json", "--bare"];
    let _ = says(fixture.sandbox.run(flags), push, "/out may be pushed to", "");
    assert!(fs::read_dir(fixture.sandbox.tmp()).unwrap().next().is_none());

    // There is no such variable.
    let _ = fixture.module().file(".ko.yaml", "naming: '{{.Env.NOPE}}'\n");
    let found = found(doctor(&fixture));
    let naming = found.checks.iter().find(|check| check.name == "naming").unwrap();
    assert_eq!(naming.status, Status::Problem, "{naming:#?}");
    let push = found.checks.iter().find(|check| check.name == "push").unwrap();
    assert_eq!(push.status, Status::Ok, "{push:#?}");
}

#[test]
fn https_is_spoken_to_a_registry_of_plain_http() {
    let fixture = healthy(TestRegistry::start());
    let host = fixture.registry.host();
    let config = format!("registries: {{'{host}': {{http: never}}}}\n");
    let _ = fixture.module().file(".ko.yaml", config);
    let found = found(doctor(&fixture));
    for name in ["push", "base", "registry"] {
        let check = found.checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.status, Status::Problem);
        assert!(check.message.contains("does not speak TLS"), "{check:#?}");
        assert!(check.hint.as_ref().unwrap().contains("http: only"), "{check:#?}");
    }
}

#[test]
fn a_credential_helper_is_missing() {
    let fixture = healthy(TestRegistry::start());
    let host = fixture.registry.host();
    fixture.sandbox.docker_config(&json!({"credHelpers": {host: "nope"}}));
    let found = found(doctor(&fixture));
    for name in ["push", "base"] {
        let check = found.checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(check.status, Status::Problem);
        assert!(
            check.message.contains("\"docker-credential-nope\", which is not in PATH"),
            "{check:#?}"
        );
        assert!(
            check.hint.as_ref().unwrap().starts_with("install docker-credential-nope"),
            "{check:#?}"
        );
    }
}

#[test]
fn there_is_no_base() {
    let mut fixture = healthy(TestRegistry::start());
    let base = format!("{}/none:v1", fixture.registry.host());
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", &base);
    let said = format!("there is no {base}");
    let _ = says(doctor(&fixture), ("base", Status::Problem), &said, "defaultBaseImage");
    let run = doctor(&fixture).env("KO_DEFAULTBASEIMAGE", "ko.static");
    let _ = says(run, ("base", Status::Ok), "ko.static needs no registry", "");
}

#[test]
fn the_base_is_for_other_platforms() {
    let registry = TestRegistry::start();
    let base = Index::oci().image(Image::oci("linux/amd64")).image(Image::oci("linux/arm64"));
    base.build().push(&registry, "index", "v1");
    let mut fixture = healthy(registry);
    let name = format!("{}/index:v1", fixture.registry.host());
    fixture.sandbox.set("KO_DEFAULTBASEIMAGE", &name);
    let run = |platforms: &str| doctor(&fixture).env("KO_DEFAULTPLATFORMS", platforms);
    let base = |status| ("base", status);
    let said = format!("{name} is there; credentials: none");
    let _ = says(run("linux/arm64"), base(Status::Ok), &said, "");
    let _ = says(run("all"), base(Status::Ok), &said, "");
    let said = format!("{name} does not have linux/s390x");
    let hint = "the base is for linux/amd64, linux/arm64";
    let _ = says(run("linux/s390x"), base(Status::Problem), &said, hint);
    let said = "it has no image for linux/s390x: images are built without that";
    let _ = says(run("linux/s390x linux/amd64"), base(Status::Warning), said, "fewer platforms");
    let run = || run("linux/arm/v9").env("KO_DEFAULTBASEIMAGE", "ko.static");
    let _ = says(run(), base(Status::Problem), "ko.static does not have linux/arm/v9", "nearest");
    // Go knows none of it: that is said once.
    let run = run().env("KO_DEFAULTPLATFORMS", "linux/amd65");
    let _ = says(run, ("platform", Status::Problem), "linux/amd65", "linux/amd64?");
}

#[test]
fn the_configuration_is_wrong() {
    let fixture = healthy(TestRegistry::start());
    let configuration = |status| ("configuration", status);
    let file = |text: &str| drop(fixture.module().file(".ko.yaml", text));
    file("defaultBaseImage: [\n");
    let _ = says(doctor(&fixture), configuration(Status::Problem), ".ko.yaml:", "");
    file("defaultFlag: -v\n");
    let said = "defaultFlag (did you mean defaultFlags?)";
    let _ = says(doctor(&fixture), configuration(Status::Warning), said, "ko config --schema");
    file("builds: [{ldflags: ['{{.Nope']}]\n");
    let _ = says(doctor(&fixture), configuration(Status::Problem), "builds[0].ldflags", "");
    let run = doctor(&fixture).env("KO_CONFIG_PATH", "nowhere");
    let _ = says(run, configuration(Status::Problem), "stat nowhere", "");
}

#[test]
fn the_cache_is_read_only_full_or_another_s() {
    let fixture = healthy(TestRegistry::start());
    let cache = |status| ("cache", status);
    let dir = fixture.sandbox.kocache();
    let there = format!("{} is not there yet", dir.join("new").display());
    let run = doctor(&fixture).env("KOCACHE", dir.join("new"));
    let _ = says(run, cache(Status::Ok), &there, "");
    assert!(!dir.join("new").exists());

    fs::create_dir_all(dir.join("v1/records/list")).unwrap();
    chown(dir.join("v1/records/list"), Some(STRANGER), None).unwrap();
    let said = format!("v1/records/list belongs to the user {STRANGER}");
    let _ = says(doctor(&fixture), cache(Status::Warning), &said, "run ko as one user");

    let mount = Mount::new(&dir, "ro");
    let _ = says(doctor(&fixture), cache(Status::Problem), "Read-only file system", "set KOCACHE");
    drop(mount);
    let _mount = Mount::new(&dir, "size=16M");
    // The plan of the program beside it writes there too.
    let check = says(doctor(&fixture), ("disk", Status::Problem), " MiB free for ", "make room");
    let free: u64 = check.facts["free_bytes"].parse().unwrap();
    assert!((8 << 20..=16 << 20).contains(&free), "{check:#?}");
    let run = doctor(&fixture).env("KOCACHE", fixture.sandbox.work().join("main.go"));
    let _ = says(run, cache(Status::Problem), "is not a directory", "set KOCACHE");
    let run = || doctor(&fixture).env("KOCACHE", "/proc/ko");
    let _ = says(run(), cache(Status::Problem), "/proc/ko cannot be used", "set KOCACHE");
    let found = found(run());
    let places = found.checks.iter().filter(|check| check.name == "disk");
    let places: Vec<&str> = places.map(|check| &*check.facts["directory"]).collect();
    assert_eq!(places, [fixture.sandbox.tmp().display().to_string()]);
}

#[test]
fn the_engine_is_absent_or_not_permitted() {
    let fixture = healthy(TestRegistry::start());
    let docker = |status| ("docker", status);
    let wanted = || doctor(&fixture).env("KO_DOCKER_REPO", "docker://");
    let _ = says(
        wanted(),
        docker(Status::Problem),
        "unix:///nowhere (DOCKER_HOST): Socket not found",
        "start it",
    );
    let run = doctor(&fixture).env("DOCKER_HOST", "x://y");
    let _ = says(run, docker(Status::Warning), "only --local and KO_DOCKER_REPO=docker://", "");

    // A socket of root's, for a user who is not.
    let root = fixture.sandbox.root();
    let socket = root.join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    for dir in [root.to_owned(), fixture.sandbox.tmp(), fixture.sandbox.kocache()] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let stranger = ["setpriv", "--clear-groups", "--reuid=12345", "--regid=12345"];
    let stranger = stranger.map(str::to_owned);
    let run = fixture.sandbox.run_under(&stranger, ["doctor", "--output=json", "--local"]);
    let run = run.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let found: Doctor = serde_json::from_str(&run.output().stdout).unwrap();
    let check = found.checks.iter().find(|check| check.name == "docker").unwrap();
    assert_eq!(check.status, Status::Problem, "{check:#?}");
    assert!(check.message.contains("Permission denied"), "{check:#?}");
    assert!(
        check.hint.as_ref().unwrap().contains("the socket is for the group root"),
        "{check:#?}"
    );
}

#[test]
fn nodes_are_out_of_reach() {
    let fixture = healthy(TestRegistry::start());
    let cluster = ("cluster", Status::Problem);
    let run = doctor(&fixture).env("KO_DOCKER_REPO", "kind://");
    let _ = says(run, cluster, "starting docker", "install docker");
    let run = doctor(&fixture).env("KO_DOCKER_REPO", "containerd://");
    let _ = says(run, cluster, "starting ctr", "install ctr");
    let path = fixture.sandbox.root().join("path");
    write_executable(&path.join("ctr"), "#!/bin/sh\necho Client: Server:\n");
    let run = doctor(&fixture).env("KO_DOCKER_REPO", "containerd://");
    let _ = says(run, ("cluster", Status::Ok), "images are loaded into containerd", "");
}

#[test]
fn the_clock_is_off() {
    let fixture = healthy(TestRegistry::start());
    let date = vec![("date".to_owned(), "Sun, 06 Nov 1994 08:49:37 GMT".to_owned())];
    fixture.registry.inject(Rule::new(Fault::SetHeaders(date)));
    let said = format!(" s ahead of that of {}", fixture.registry.host());
    let _ = says(doctor(&fixture), ("clock", Status::Problem), &said, "set the clock");
}

/// Without a home, a module, a cache, a registry, a configuration.
#[test]
fn nothing_is_there() {
    let fixture = healthy(TestRegistry::start());
    let empty = fixture.sandbox.root().join("empty");
    fs::create_dir(&empty).unwrap();
    let mut run = doctor(&fixture).cwd(&empty).env("KO_DEFAULTBASEIMAGE", "ko.static");
    for name in
        ["HOME", "KOCACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "KO_DOCKER_REPO"]
    {
        run = run.env_remove(name);
    }
    let found = found(run.env("PATH", ""));
    let of = |name: &str| found.checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!(of("go").status, Status::Problem);
    assert_eq!(of("destination").message, "KO_DOCKER_REPO environment variable is unset");
    assert_eq!(of("cache").hint.as_deref(), Some("set KOCACHE to one, or HOME"));
    let hint = of("destination").hint.as_deref().unwrap_or_default();
    assert!(hint.contains("set it to a repository") && hint.contains("; -L loads"), "{hint}");
    assert_eq!(of("destination").status, Status::Problem);
    for name in ["git", "kubectl", "cache"] {
        assert_eq!(of(name).status, Status::Warning, "{name}");
    }
}
