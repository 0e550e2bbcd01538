//! Mistakes in what `ko resolve` prints, and in what kubectl is told.

use super::{Breakage, breakage};
use crate::run::Run;

const PRINTED: &str = "resolve/documents";
const SENT: &str = "apply/documents";
const WORDS: &str = "apply/words-before-dashes";
const RUN: &str = "run/words-after-dashes";
const FAILED: &str = "apply/kubectl-fails";

/// The mistakes.
pub(super) const ALL: &[Breakage] = &[
    breakage("a document that is not printed", PRINTED, "stdout", |broken| {
        let (first, _) = broken.run.stdout.split_once("---\n").unwrap_or_default();
        broken.run.stdout = format!("{first}---\n");
    }),
    breakage("documents in another order", PRINTED, "stdout", |broken| {
        let mut documents: Vec<&str> = broken.run.stdout.split("---\n").collect();
        documents.swap(0, 1);
        broken.run.stdout = documents.join("---\n");
    }),
    breakage("a reference that is left", PRINTED, "stdout", |broken| {
        let text = &mut broken.run.stdout;
        *text = text.replacen(broken.scene.registry.host(), "ko://example.com", 1);
    }),
    breakage("the image of another program", PRINTED, "stdout", |broken| {
        let text = &mut broken.run.stdout;
        let images: Vec<String> = text
            .split_whitespace()
            .filter(|word| word.contains("@sha256:"))
            .map(str::to_owned)
            .collect();
        *text = text.replacen(&images[0], &images[1], 1);
    }),
    breakage("a number that became a string", PRINTED, "stdout", |broken| {
        broken.run.stdout = broken.run.stdout.replace("weight: '7'", "weight: 7");
    }),
    breakage("no mark at the end", PRINTED, "stdout", |broken| {
        let text = &mut broken.run.stdout;
        *text = text.trim_end_matches("---\n").to_owned();
    }),
    breakage("a document that is not sent", SENT, "file kubectl.stdin.yaml", |broken| {
        edit(&mut broken.run, "kubectl.stdin.yaml", |text| text.replace("kind: Job", "---"));
    }),
    breakage("no empty documents first", SENT, "file kubectl.stdin.yaml", |broken| {
        edit(&mut broken.run, "kubectl.stdin.yaml", |text| {
            text.trim_start_matches("---\n").to_owned()
        });
    }),
    breakage("one empty document less", SENT, "file kubectl.stdin.yaml", |broken| {
        edit(&mut broken.run, "kubectl.stdin.yaml", |text| text["---\n".len()..].to_owned());
    }),
    breakage("the tag is sent", SENT, "file kubectl.stdin.yaml", |broken| {
        edit(&mut broken.run, "kubectl.stdin.yaml", |text| {
            text.replacen("@sha256:", ":latest@sha256:", 1)
        });
    }),
    breakage("kubectl is called twice", SENT, "file kubectl.words", |broken| {
        edit(&mut broken.run, "kubectl.words", |text| text.clone() + &text);
    }),
    breakage("kubectl is not called", SENT, "file kubectl.words", |broken| {
        broken.run.files.remove("kubectl.words");
    }),
    breakage("what kubectl prints is lost", SENT, "stdout", |broken| broken.run.stdout.clear()),
    breakage("words before the dashes are lost", WORDS, "file kubectl.words", |broken| {
        edit(&mut broken.run, "kubectl.words", |text| text.replace("[pos] ", ""));
    }),
    breakage("the dashes are passed on", WORDS, "file kubectl.words", |broken| {
        edit(&mut broken.run, "kubectl.words", |text| text.replace("[--server", "[--] [--server"));
    }),
    breakage("words in another order", RUN, "file kubectl.words", |broken| {
        edit(&mut broken.run, "kubectl.words", |text| text.replace("[-n] [foo]", "[foo] [-n]"));
    }),
    breakage("a pod of another name", RUN, "file kubectl.words", |broken| {
        edit(&mut broken.run, "kubectl.words", |text| text.replacen("[web-", "[pod-", 1));
    }),
    breakage("the code of kubectl", FAILED, "exit code", |broken| broken.run.code = Some(3)),
];

/// Changes a file that a command wrote.
fn edit(run: &mut Run, path: &str, change: impl FnOnce(String) -> String) {
    let file = run.files.get_mut(path).expect("the case writes it");
    let text = String::from_utf8(std::mem::take(file)).expect("the file is text");
    *file = change(text).into_bytes();
}
