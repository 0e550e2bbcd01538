//! Writes what describes a run: `--timings`, `--metadata-file`, and `--output`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use engine::{Counters, Engine, Observer, Published};
use report::run::{Line, Run};

use crate::cli::{ImageArgs, Output};
use crate::environment::Process;
use crate::error::{CommandError, Result};
use crate::progress::Display;
use crate::record::Recorder;
use crate::streams;

/// What describes a run.
#[derive(Debug)]
pub(crate) struct Reports {
    timings: PathBuf,
    metadata: PathBuf,
    output: Output,
    display: Display,
    /// None if nobody wants to know.
    recorder: Option<Recorder>,
    lines: Option<Lines>,
}

impl Reports {
    /// Begins to show and to record what the flags ask for.
    pub(crate) fn begin(process: &Process, verbose: bool, arguments: &ImageArgs) -> Self {
        let ImageArgs { timings, metadata_file, explain, .. } = arguments;
        // The plan of a run that is only planned is printed in its place.
        let output = if arguments.dry_run { Output::Text } else { arguments.output };
        let is_wanted = !timings.is_empty() || !metadata_file.is_empty() || output != Output::Text;
        Self {
            timings: timings.into(),
            metadata: metadata_file.into(),
            output,
            display: Display::new(arguments.progress(), process, verbose, *explain),
            recorder: is_wanted.then(Recorder::begin),
            lines: (output == Output::Ndjson).then(Lines::begin),
        }
    }

    /// An observer that shows and records what happens.
    pub(crate) fn observe(&self) -> Observer {
        let observer = self.display.observer();
        let Some(recorder) = &self.recorder else { return observer };
        let lines = self.lines.as_ref().map(Lines::sender);
        recorder.observe(observer, move |line| {
            if let Some(lines) = &lines {
                let _ = lines.send(Some(line.json()));
            }
        })
    }

    /// The files that will be written.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let named = |path: &Path| !path.as_os_str().is_empty();
        let mut paths = Vec::new();
        if named(&self.timings) {
            let data = self.timings.with_extension("json");
            paths.extend((data != self.timings).then(|| self.timings.clone()));
            paths.push(data);
        }
        paths.extend(Some(self.metadata.clone()).filter(|path| named(path)));
        paths
    }

    /// Whether stdout is what ko prints.
    pub(crate) fn is_text(&self) -> bool {
        self.output == Output::Text
    }

    /// The engine begins.
    pub(crate) fn begun(&self, engine: &Engine) {
        self.display.begin(engine);
    }

    /// Results are about to be printed: the terminal is theirs.
    pub(crate) fn results(&self) {
        self.display.pause();
    }

    /// Takes what was published.
    pub(crate) fn published(&self, published: &[Published], counted: Counters) {
        self.display.published(published, counted);
        if let Some(recorder) = &self.recorder {
            recorder.published(published);
        }
    }

    /// Shows what came of the run, and prints it where stdout is no text.
    pub(crate) async fn print(
        &self,
        counted: Counters,
        failed: Option<&CommandError>,
    ) -> Result<()> {
        if failed.is_some() {
            self.display.failed(counted);
        }
        self.display.end();
        let Some(recorder) = self.recorder.as_ref().filter(|_| !self.is_text()) else {
            return Ok(());
        };
        let mut run = recorder.run(counted, failed);
        let printed = match &self.lines {
            None => streams::print_all(run.json().into_bytes()).await,
            Some(lines) => {
                let images = std::mem::take(&mut run.images);
                let images = images.into_iter().map(|image| Line::Image(Box::new(image)));
                lines.finish(images.chain([Line::Run(Box::new(run))])).await
            }
        };
        printed.map_err(|error| CommandError::stdout(&error))
    }

    /// The files with their content: the page of `--timings` under the name that the
    /// user gave, the data beside it; only the data if the name ends in `.json`.
    pub(crate) fn files(
        &self,
        counted: Counters,
        failed: Option<&CommandError>,
    ) -> Vec<(PathBuf, String)> {
        let Some(recorder) = &self.recorder else { return Vec::new() };
        let timings = recorder.timings(counted, failed.is_none());
        let text = |path: &PathBuf| {
            let is_data = path.extension().is_some_and(|extension| extension == "json");
            let text = if *path == self.metadata && !path.as_os_str().is_empty() {
                Run::json(&recorder.run(counted, failed))
            } else if is_data {
                timings.json()
            } else {
                timings.html()
            };
            (path.clone(), text)
        };
        self.paths().iter().map(text).collect()
    }
}

/// Lines on their way to standard output. Whoever sends one does not wait for its
/// reader.
#[derive(Debug)]
struct Lines {
    /// `None` is the end.
    sender: Sender<Option<String>>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl Lines {
    fn begin() -> Self {
        let (sender, lines) = mpsc::channel();
        let write = move || {
            // Observers hold senders longer than this is needed: the end is told.
            while let Ok(Some(line)) = lines.recv() {
                streams::print(String::as_bytes(&line))?;
            }
            Ok(())
        };
        Self { sender, writer: Mutex::new(Some(thread::spawn(write))) }
    }

    fn sender(&self) -> Sender<Option<String>> {
        self.sender.clone()
    }

    /// Writes the last lines.
    async fn finish(&self, last: impl Iterator<Item = Line>) -> io::Result<()> {
        for line in last {
            let _ = self.sender.send(Some(line.json()));
        }
        let _ = self.sender.send(None);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return Ok(()) };
        engine::on_thread(move || writer.join().unwrap_or(Ok(()))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_timings_is_beside_the_page() {
        for (path, files) in [
            ("out/t.html", vec!["out/t.html", "out/t.json", "m.json"]),
            ("t", vec!["t", "t.json", "m.json"]),
            ("t.json", vec!["t.json", "m.json"]),
            ("", vec!["m.json"]),
        ] {
            let reports = Reports {
                timings: path.into(),
                metadata: "m.json".into(),
                output: Output::Text,
                display: Display::none(),
                recorder: Some(Recorder::begin()),
                lines: None,
            };
            let found = reports.files(Counters::default(), None);
            let found: Vec<PathBuf> = found.into_iter().map(|(path, _)| path).collect();
            assert_eq!(found, files.iter().map(PathBuf::from).collect::<Vec<_>>());
            assert_eq!(found, reports.paths());
        }
    }
}
