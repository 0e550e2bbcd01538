//! `ko resolve` and `ko apply` that go on: manifests are edited as well.

use std::fs;

use super::{Watching, edit, fixture};
use crate::kubectl::path_with;
use crate::spy::write_executable;

const POD: &str = "# a pod\nimage: ko://example.com/app\n";

#[test]
fn resolved_files_are_written_again() {
    let fixture = fixture();
    let _ = fixture.module().file("config/pod.yaml", POD);
    let file = fixture.sandbox.work().join("out.yaml");
    let words = ["resolve", "-B", "--sbom=none", "-f", "config"];
    let plain = fixture.sandbox.run(words).output().success().stdout;
    let run = fixture.sandbox.run(words.iter().chain(&["--output-file=out.yaml"]));
    assert_eq!(run.output().success().stdout, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), plain);

    let words = words.iter().chain(&["--watch", "--output-file=out.yaml"]);
    let watching = Watching::start(fixture.sandbox.run(words));
    watching.until("Watching ");
    let write =
        |name: &str, text: &str| fs::write(fixture.sandbox.work().join(name), text).unwrap();
    let read = || fs::read_to_string(&file).unwrap();
    assert_eq!(read(), plain);
    edit(&fixture, "some");
    watching.until("main.go has changed: published after");
    let edited = read();
    assert_ne!(edited, plain);
    write("config/pod.yaml", &POD.replace("a pod", "the pod"));
    watching.until("config/pod.yaml has changed: the same images after");
    assert_eq!(read(), edited.replace("a pod", "the pod"));
    write("config/more.yaml", "image: ko://example.com/none\n");
    watching.until("config/more.yaml has changed: failed after");
    assert_eq!(read(), edited.replace("a pod", "the pod"));
    fs::remove_file(fixture.sandbox.work().join("config/more.yaml")).unwrap();
    watching.until("config/more.yaml has changed: the same images after");
    let _ = watching.interrupt();
    assert_eq!(watching_left(&fixture), Vec::<String>::new());
}

/// Temporary files of outputs.
fn watching_left(fixture: &crate::fixture::Fixture) -> Vec<String> {
    let names = fs::read_dir(fixture.sandbox.work()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".ko-")).collect()
}

/// Each round has a kubectl of its own; one that fails ends nothing.
#[test]
fn every_round_is_applied() {
    let fixture = fixture();
    let _ = fixture.module().file("config/pod.yaml", POD);
    let dir = fixture.sandbox.root().join("kubectl");
    fs::create_dir(&dir).unwrap();
    let script = "#!/bin/sh\ncat >\"$0.new\"\ngrep -q refused \"$0.new\" && exit 3\n\
                  cat \"$0.new\" >>\"$0.all\"\necho \"applied $*\"\n";
    write_executable(&dir.join("kubectl"), script);
    let words = ["apply", "-B", "--sbom=none", "--watch", "-f", "config", "--", "--wait"];
    let run = fixture.sandbox.run(words).env("PATH", path_with(&dir));
    let write =
        |text: &str| fs::write(fixture.sandbox.work().join("config/pod.yaml"), text).unwrap();
    let watching = Watching::start(run);
    assert_eq!(watching.stdout.recv().unwrap(), "applied apply -f - --wait");
    watching.until("Watching ");
    edit(&fixture, "some");
    assert_eq!(watching.stdout.recv().unwrap(), "applied apply -f - --wait");
    watching.until("main.go has changed: published after");
    write(&POD.replace("a pod", "refused"));
    let said = watching.until("config/pod.yaml has changed: failed after");
    assert!(said.contains("error executing 'kubectl apply': exit status 3"), "{said}");
    write(POD);
    assert_eq!(watching.stdout.recv().unwrap(), "applied apply -f - --wait");
    let _ = watching.interrupt();
    let all = fs::read_to_string(dir.join("kubectl.all")).unwrap();
    let images: Vec<_> = all.lines().filter(|line| line.starts_with("image: ")).collect();
    assert!(images.len() == 3 && images[0] != images[1] && images[1] == images[2], "{all}");
}
