//! Translates the instructions of a Dockerfile that say how a container runs into settings
//! of an image.

use super::image::{Healthcheck, Image};
use super::stages::{Variables, expanded, words};

/// What the instructions so far come to.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// The variables that later instructions may use.
    pub(super) variables: Variables,
    /// The working directory, where it is known.
    workdir: Option<String>,
    /// The program in the image of the Dockerfile, and in ko's.
    pub(super) program: Option<(String, String)>,
}

/// A setting, or why it is of no use.
pub(super) type Setting = Result<Image, String>;

impl Context {
    /// The settings that an instruction makes, one by one. `None` of one that makes none; an
    /// error says why a setting is of no use.
    pub(super) fn settings(&mut self, word: &str, rest: &str) -> Option<Vec<Setting>> {
        let none = Image::default;
        let variables = &self.variables;
        let texts = |text: &str| -> Vec<Result<String, String>> {
            let texts = words(text).into_iter().map(|word| expanded(word, variables));
            texts.map(|text| text.map_err(str::to_owned)).collect()
        };
        let list = |text: &str| match serde_json::from_str::<Vec<String>>(text) {
            Ok(list) => Ok(list),
            Err(_) => texts(text).into_iter().collect(),
        };
        let one = |text: &str| expanded(text, variables).map_err(str::to_owned);
        Some(match word {
            "ENV" => {
                let pairs = pairs(rest, variables);
                self.variables.extend(pairs.iter().flatten().cloned());
                let env = |pair| Image { env: vec![pair], ..none() };
                let is_wanted = |pair: &Result<(String, String), String>| {
                    !pair.as_ref().is_ok_and(|(name, _)| is_of_go(name))
                };
                pairs.into_iter().filter(is_wanted).map(|pair| pair.map(env)).collect()
            }
            "LABEL" => {
                let label = |pair| Image { labels: vec![pair], ..none() };
                pairs(rest, variables).into_iter().map(|pair| pair.map(label)).collect()
            }
            "EXPOSE" => {
                let port = |port| Image { ports: vec![port], ..none() };
                texts(rest).into_iter().map(|text| text.map(port)).collect()
            }
            "USER" => vec![one(rest).map(|user| Image { user: Some(user), ..none() })],
            "WORKDIR" => vec![self.workdir(rest)],
            "VOLUME" => vec![list(rest).map(|volumes| Image { volumes, ..none() })],
            "STOPSIGNAL" => {
                vec![one(rest).map(|signal| Image { stop_signal: Some(signal), ..none() })]
            }
            "SHELL" => vec![list(rest).map(|shell| Image { shell, ..none() })],
            "HEALTHCHECK" => {
                let check = |check| Image { healthcheck: Some(check), ..none() };
                vec![self.healthcheck(rest).map(check)]
            }
            _ => return None,
        })
    }

    /// An argument of the build: its default is the value, else that of all stages.
    pub(super) fn argument(&mut self, rest: &str, all: &Variables) {
        for word in words(rest) {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, expanded(value, &self.variables).ok()),
                None => (word, all.get(word).cloned()),
            };
            match value {
                Some(value) => drop(self.variables.insert(name.to_owned(), value)),
                None => drop(self.variables.remove(name)),
            }
        }
    }

    fn workdir(&mut self, rest: &str) -> Result<Image, String> {
        let path = expanded(rest, &self.variables)?;
        let whole = match &self.workdir {
            _ if path.starts_with('/') => path,
            Some(above) => format!("{}/{path}", above.trim_end_matches('/')),
            None => return Err("it is relative to that of the base".to_owned()),
        };
        self.workdir = Some(whole.clone());
        Ok(Image { workdir: Some(whole), ..Image::default() })
    }

    fn healthcheck(&self, rest: &str) -> Result<Healthcheck, String> {
        let mut check = Healthcheck::default();
        let mut rest = rest;
        while let Some(flag) = rest.strip_prefix("--") {
            let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
            let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
            let key = match name {
                "interval" => "interval",
                "timeout" => "timeout",
                "start-period" => "startPeriod",
                "retries" => "retries",
                other => return Err(format!("image.healthcheck has nothing like --{other}")),
            };
            check.times.push((key, expanded(value, &self.variables)?));
            rest = after.trim_start();
        }
        let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let command = command.trim();
        check.test = match kind.to_ascii_uppercase().as_str() {
            "NONE" => vec!["NONE".to_owned()],
            "CMD" => match serde_json::from_str::<Vec<String>>(command) {
                Ok(words) => {
                    let words = words.into_iter().map(|word| self.in_image(word));
                    std::iter::once("CMD".to_owned()).chain(words).collect()
                }
                Err(_) => vec!["CMD-SHELL".to_owned(), command.to_owned()],
            },
            _ => return Err("it runs nothing".to_owned()),
        };
        Ok(check)
    }

    /// A word of a command, which may be the program.
    fn in_image(&self, word: String) -> String {
        match &self.program {
            Some((there, here)) if *there == word => here.clone(),
            _ => word,
        }
    }
}

/// Whether a variable is for `go`, and of no use where a program runs.
fn is_of_go(name: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "GO111MODULE",
        "GOAMD64",
        "GOARCH",
        "GOARM",
        "GOBIN",
        "GOEXPERIMENT",
        "GOFLAGS",
        "GOOS",
        "GOPATH",
    ];
    let of_modules =
        ["GOCACHE", "GOMODCACHE", "GONO", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"];
    OTHERS.contains(&name)
        || name.starts_with("CGO_")
        || of_modules.iter().any(|start| name.starts_with(start))
}

/// `KEY=VALUE …`, or a key, and a value up to the end of the line.
fn pairs(rest: &str, variables: &Variables) -> Vec<Result<(String, String), String>> {
    let all = words(rest);
    let pair = |key: &str, value: &str| {
        Ok((expanded(key, variables)?, expanded(value.trim(), variables)?))
    };
    if all.first().is_some_and(|first| !first.contains('=')) {
        let (key, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![pair(key, value)];
    }
    let is_one = all.len() == 1;
    let pairs = all.into_iter().map(|word| {
        let (key, value) = word.split_once('=').ok_or("a pair has no value")?;
        pair(key, value).map_err(|reason| match is_one {
            true => reason,
            false => format!("{key}: {reason}"),
        })
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_become_settings() {
        let mut context = Context::default();
        context.argument("PORT=80 HOST", &Variables::from([("HOST".into(), "h".into())]));
        context.program = Some(("/app".to_owned(), "/ko-app/app".to_owned()));
        let mut all = Image::default();
        let mut left = Vec::new();
        for (word, rest) in [
            ("ENV", "A=\"x y\" B=$HOST"),
            ("ENV", "C some text"),
            ("ENV", "CGO_ENABLED=0 GOPROXY=off GOMEMLIMIT=1GiB"),
            ("ENV", "PATH=$PATH:/x D=1"),
            ("LABEL", "a=b \"c d\"='$e {{.f}}'"),
            ("USER", "65532:65532"),
            ("USER", "$NOBODY"),
            ("WORKDIR", "relative"),
            ("WORKDIR", "/data"),
            ("WORKDIR", "$B"),
            ("EXPOSE", "$PORT 53/udp 80"),
            ("EXPOSE", "http 81"),
            ("VOLUME", "[\"/a\", \"/b\"]"),
            ("VOLUME", "/c"),
            ("STOPSIGNAL", "SIGQUIT"),
            ("STOPSIGNAL", "SIGNOTHING"),
            ("HEALTHCHECK", "--interval=30s --retries=3 CMD [\"/app\", \"health\"]"),
            ("HEALTHCHECK", "--start-interval=1s CMD true"),
            ("SHELL", "[\"/bin/bash\", \"-c\"]"),
        ] {
            for setting in context.settings(word, rest).unwrap() {
                if let Err(reason) = setting.and_then(|more| all.add(more)) {
                    left.push(format!("{word} {rest}: {reason}"));
                }
            }
        }
        assert_eq!(context.settings("RUN", "x"), None);
        let mut text = String::new();
        let from = "Dockerfile".to_owned();
        super::super::image::Described { image: all, from }.comment(&mut text, "  ", "image");
        insta::assert_snapshot!(text, @r#"
# Dockerfile: ko 0.19.1 does not read these settings; uncomment them to use them:
# image:
#   env:
#     A: "x y"
#     B: h
#     C: "some text"
#     GOMEMLIMIT: "1GiB"
#     D: "1"
#   workdir: /data/h
#   user: "65532:65532"
#   ports:
#     - "80"
#     - "53/udp"
#     - "81"
#   volumes:
#     - /a
#     - /b
#     - /c
#   healthcheck:
#     test: [CMD, /ko-app/app, health]
#     interval: "30s"
#     retries: "3"
#   stopSignal: SIGQUIT
#   shell:
#     - /bin/bash
#     - "-c"
#   labels:
#     a: b
#     "c d": "$e {{\"{{\"}}.f}}"
"#);
        insta::assert_snapshot!(left.join("\n"), @r#"
ENV PATH=$PATH:/x D=1: PATH: it depends on a variable that the file does not set
USER $NOBODY: it depends on a variable that the file does not set
WORKDIR relative: it is relative to that of the base
EXPOSE http 81: 'image.ports': "http" is not a port: write a number from 1 to 65535 or a range, as in 8080, 53/udp or 8000-8010
STOPSIGNAL SIGNOTHING: 'image.stopSignal': "SIGNOTHING" is not a signal: write a name or a number from 1 to 64, as in SIGQUIT
HEALTHCHECK --start-interval=1s CMD true: image.healthcheck has nothing like --start-interval
"#);
    }
}
