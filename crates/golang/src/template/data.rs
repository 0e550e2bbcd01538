//! What templates see of a build: ko's names, with ko's values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::Value;
use jiff::Timestamp;

use crate::environment::Environment;
use crate::git::GitInfo;
use crate::go_env::GoEnv;

/// Go's zero time, as seconds since 1970.
const ZERO_TIME: i64 = -62_135_596_800;

pub(super) type Map = BTreeMap<Arc<str>, Value>;

/// The data of the templates of one build.
#[derive(Clone)]
pub struct TemplateData {
    pub(super) root: Value,
    /// `.Env`, to tell a missing variable from another missing key.
    pub(super) env: Arc<Map>,
}

/// A program, as templates of names see it.
#[derive(Debug, Clone, Copy)]
pub struct ProgramFacts<'a> {
    /// The import path, in lower case.
    pub import_path: &'a str,
    /// Its last element.
    pub base: &'a str,
    /// Its md5, in hex.
    pub md5: &'a str,
    /// The id of its build; empty if none is configured.
    pub id: &'a str,
    /// Whether its commit has a tag itself.
    pub tagged: bool,
    /// The page of its repository.
    pub remote: &'a str,
}

impl TemplateData {
    /// Data from the environment that `go build` gets, what `go env` and git
    /// say, and the instant of the build. What no template of the build
    /// [uses](super::Uses) may be left at its default.
    ///
    /// Values of the environment that are not UTF-8 are made so, with U+FFFD.
    #[must_use]
    pub fn new(environment: &Environment, go_env: &GoEnv, time: Timestamp, git: &GitInfo) -> Self {
        let mut env = Map::from([("LDFLAGS".into(), text(""))]);
        for (name, value) in environment.iter() {
            env.insert(name.to_string_lossy().into(), text(&value.to_string_lossy()));
        }
        let setting = |(name, value): (&String, &String)| {
            let name: Arc<str> = name.as_str().into();
            let value = env.get(&name).cloned().unwrap_or_else(|| text(value));
            (name, value)
        };
        let go_env = go_env.0.iter().map(setting).collect();
        let env = Arc::new(env);
        let root = map([
            ("Env", Value::Map(Arc::clone(&env))),
            ("GoEnv", Value::Map(Arc::new(go_env))),
            ("Date", text(&date(time))),
            ("Timestamp", Value::Int(time.as_second())),
            ("Git", git_values(git)),
        ]);
        Self { root, env }
    }

    /// The same with a program, for its name and tags.
    #[must_use]
    pub fn with_program(self, program: ProgramFacts<'_>) -> Self {
        let Value::Map(root) = self.root else { return self };
        let mut root = Arc::unwrap_or_clone(root);
        let elements = program.import_path.split('/').filter(|element| !element.is_empty());
        if let Some(Value::Map(git)) = root.get_mut("Git") {
            let git = Arc::make_mut(git);
            git.insert("IsTagged".into(), Value::Bool(program.tagged));
            git.insert("URL".into(), text(program.remote));
        }
        root.extend([
            ("ImportPath".into(), text(program.import_path)),
            ("Elements".into(), Value::List(elements.map(text).collect())),
            ("Base".into(), text(program.base)),
            ("MD5".into(), text(program.md5)),
            ("ID".into(), text(program.id)),
        ]);
        Self { root: Value::Map(Arc::new(root)), ..self }
    }
}

/// The environment may hold secrets.
impl fmt::Debug for TemplateData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateData").finish_non_exhaustive()
    }
}

fn git_values(git: &GitInfo) -> Value {
    let seconds = git.commit_time.unwrap_or(ZERO_TIME);
    // A year that RFC 3339 cannot write is none.
    let time = Timestamp::from_second(seconds).map(date);
    map([
        ("Branch", text(&git.branch)),
        ("Tag", text(&git.tag)),
        ("ShortCommit", text(&git.short_commit)),
        ("FullCommit", text(&git.full_commit)),
        ("CommitDate", text(&time.unwrap_or_default())),
        ("CommitTimestamp", Value::Int(seconds)),
        ("IsDirty", Value::Bool(git.dirty)),
        ("IsClean", Value::Bool(!git.dirty)),
        ("TreeState", text(if git.dirty { "dirty" } else { "clean" })),
    ])
}

/// RFC 3339 in UTC, without fractions.
fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(Arc::new(entries.into_iter().map(|(name, value)| (name.into(), value)).collect()))
}

/// What a lookup by `index` gives for a key that is not there: an empty text
/// where all values are texts, as Go knows by the map's type.
pub(super) fn zero(map: &Map) -> Value {
    if map.values().all(|value| matches!(value, Value::String(_))) { text("") } else { Value::Nil }
}
