//! The modules that the cases build.

use std::fs;
use std::path::Path;
use testkit::module::Module;
use toolkit::git;

/// Two mains, a library, a directory without Go, and a main that does not
/// compile.
pub(crate) fn app(dir: &Path) {
    Module::new(dir, "example.com/app")
        .main("cmd/web")
        .main("cmd/worker")
        .library("lib")
        .broken_main("broken")
        .file("docs/README", "no Go here\n");
}

/// A main in the root of its module.
pub(crate) fn hello(dir: &Path) {
    drop(testkit::module::hello(dir));
}

/// Two mains whose import paths differ in case alone.
pub(crate) fn upper_case(dir: &Path) {
    Module::new(dir, "example.com/App").main("cmd/Web").main("cmd/web");
}

/// [`app`], whose `cmd/web` has one of everything in its kodata.
pub(crate) fn assets(dir: &Path) {
    app(dir);
    testkit::module::special_kodata(&dir.join("cmd/web"));
}

/// What mains have whose binary tells how it was built: variables for the
/// linker, and a constant that a tag decides.
const STAMPED: [(&str, &str); 3] = [
    (
        "main.go",
        "package main\n\nvar version, commit, date = \"none\", \"\", \"\"\n\nfunc main() {\n\tprintln(version, commit, date, feature)\n}\n",
    ),
    ("on.go", "//go:build feature\n\npackage main\n\nconst feature = \"on\"\n"),
    ("off.go", "//go:build !feature\n\npackage main\n\nconst feature = \"off\"\n"),
];

fn stamped_main(module: Module, dir: &str) -> Module {
    STAMPED.iter().fold(module, |module, (name, text)| module.file(&format!("{dir}/{name}"), text))
}

/// Mains that tell how they were built, and a library beside them.
pub(crate) fn stamped(dir: &Path) {
    let module = Module::new(dir, "example.com/app").library("lib");
    drop(stamped_main(stamped_main(module, "cmd/web"), "cmd/worker"));
}

/// A root module, one below it, and one below that.
pub(crate) fn nested(dir: &Path) {
    stamped(dir);
    drop(stamped_main(Module::new(dir.join("tools"), "example.com/app/tools"), "cmd/gen"));
    drop(stamped_main(Module::new(dir.join("tools/deep"), "example.com/other"), "."));
}

/// Two modules, and none above them.
pub(crate) fn siblings(dir: &Path) {
    drop(stamped_main(Module::new(dir.join("one"), "example.com/one"), "cmd/web"));
    drop(stamped_main(Module::new(dir.join("two"), "example.com/two"), "cmd/worker"));
}

/// [`siblings`], of which one uses the other, in a workspace.
pub(crate) fn workspace(dir: &Path) {
    siblings(dir);
    Module::new(dir.join("two"), "example.com/two").file(
        "cmd/both/main.go",
        "package main\n\nimport \"example.com/one/greeting\"\n\nfunc main() {\n\tprintln(greeting.Text)\n}\n",
    );
    write(
        dir,
        "one/greeting/greeting.go",
        "package greeting\n\n// Text is said.\nconst Text = \"hi\"\n",
    );
    write(dir, "go.work", "go 1.21\n\nuse (\n\t./one\n\t./two\n)\n");
}

/// A module that requires another, which has a main, from a directory.
pub(crate) fn dependency(dir: &Path) {
    stamped(dir);
    drop(stamped_main(Module::new(dir.join("vendored"), "example.com/dep"), "cmd/tool"));
    write(
        dir,
        "go.mod",
        "module example.com/app\n\ngo 1.24\n\ntool example.com/dep/cmd/tool\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep v1.0.0 => ./vendored\n",
    );
}

/// [`dependency`] with a vendor directory, as `go mod vendor` writes it.
pub(crate) fn vendor(dir: &Path) {
    dependency(dir);
    for (name, text) in STAMPED {
        write(dir, &format!("vendor/example.com/dep/cmd/tool/{name}"), text);
    }
    write(
        dir,
        "vendor/modules.txt",
        "# example.com/dep v1.0.0 => ./vendored\n## explicit; go 1.21\nexample.com/dep/cmd/tool\n# example.com/dep v1.0.0 => ./vendored\n",
    );
}

/// A main whose files are all for another system than most hosts have.
pub(crate) fn elsewhere(dir: &Path) {
    Module::new(dir, "example.com/app")
        .file("cmd/web/main_plan9.go", "package main\n\nfunc main() {}\n");
}

/// [`stamped`] in a repository: committed, tagged `v1.2.3`, clean.
pub(crate) fn repository(dir: &Path) {
    untagged(dir);
    git::run(dir, &["tag", "v1.2.3"]);
}

/// [`repository`] with an annotated tag after the other, one more commit on a
/// branch, and nothing changed.
pub(crate) fn branch(dir: &Path) {
    repository(dir);
    git::run(dir, &["tag", "-a", "-m", "second", "v1.3.0-rc.1"]);
    git::run(dir, &["checkout", "-q", "-b", "topic/one"]);
    git::run(dir, &["commit", "-q", "--allow-empty", "-m", "more"]);
}

/// [`repository`] with a changed file.
pub(crate) fn dirty(dir: &Path) {
    repository(dir);
    write(dir, "lib/library.go", "package library\n");
}

/// [`repository`] with a file that is not known to git.
pub(crate) fn untracked(dir: &Path) {
    repository(dir);
    write(dir, "new.txt", "new\n");
}

/// [`repository`] without a tag.
pub(crate) fn untagged(dir: &Path) {
    stamped(dir);
    // The case's own files do not make it dirty.
    write(dir, ".gitignore", ".ko.*\nlayout\nrefs.txt\ngo.sh\ngo.log\n");
    git::commit_all(dir);
}

/// [`nested`] in a repository with a tag.
pub(crate) fn nested_repository(dir: &Path) {
    nested(dir);
    write(dir, ".gitignore", ".ko.*\n");
    git::commit_all(dir);
    git::run(dir, &["tag", "v1.2.3"]);
}

/// [`repository`] where no branch is checked out.
pub(crate) fn detached(dir: &Path) {
    repository(dir);
    git::run(dir, &["checkout", "-q", "--detach"]);
}

/// A repository without a commit.
pub(crate) fn unborn(dir: &Path) {
    stamped(dir);
    git::run(dir, &["init", "-q", "-b", "main"]);
}

/// Writes a file, and the directories above it.
pub(crate) fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    let parent = path.parent().expect("the path has a directory");
    fs::create_dir_all(parent).expect("the directory is ours");
    fs::write(path, content).expect("the directory is ours");
}
