//! The functions that stand in for those of the crate: steps and lookups that
//! know where they are, and builtins that are bounded and do what Go's do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gotmpl::{FuncMap, TemplateError as EngineError, Value, html_escape, js_escape, url_encode};

use super::data::{Map, TemplateData, zero};
use super::error::{TemplateError, TemplatePosition, nearest};
use super::{LIMIT, STEPS, Template, naming};

/// Marks a step. No template can name it, nor those below.
pub(super) const STEP: &str = "@step";
/// Looks up a chain of keys.
pub(super) const FIELD: &str = "@field";
/// Is nothing.
pub(super) const NOTHING: &str = "@nothing";

/// Makes a value what is to be seen of it.
pub(super) const SHOW: &str = "@show";
/// Refuses to assign to a variable.
pub(super) const UNDEFINED: &str = "@undefined";

/// All functions of Go's `text/template`.
pub(super) const BUILTINS: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

/// The most verbs in a format: each may pad to 64 KiB.
const VERBS: usize = 64;

/// One expansion on its way.
pub(super) struct State {
    template: Template,
    env: Arc<Map>,
    site: AtomicUsize,
    steps: AtomicU64,
    error: Mutex<Option<TemplateError>>,
}

type Result<T = Value> = std::result::Result<T, EngineError>;

impl State {
    pub(super) fn new(template: &Template, data: &TemplateData) -> Arc<Self> {
        Arc::new(Self {
            template: template.clone(),
            env: Arc::clone(&data.env),
            site: AtomicUsize::new(0),
            steps: AtomicU64::new(0),
            error: Mutex::new(None),
        })
    }

    /// Our error behind one of the engine's, or the engine's at the last step.
    pub(super) fn explain(&self, error: EngineError) -> TemplateError {
        if let Some(ours) = self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return ours;
        }
        let place = self.place(self.site.load(Ordering::Relaxed));
        match error {
            EngineError::Write => TemplateError::TooLong { place },
            EngineError::RangeIterLimit => TemplateError::Endless { place },
            EngineError::UndefinedTemplate(name) => TemplateError::Execution {
                place,
                message: format!("template {name:?} not defined"),
            },
            EngineError::Exec(message) => TemplateError::Execution { place, message },
            other => TemplateError::Execution { place, message: other.to_string() },
        }
    }

    fn place(&self, site: usize) -> TemplatePosition {
        let source = self.template.source();
        let unknown = || TemplatePosition::plain(source, 0);
        self.template.sites.get(site).map_or_else(unknown, |site| site.place(source))
    }

    /// Ends the expansion with an error of ours.
    fn fail<T>(&self, error: TemplateError) -> Result<T> {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Err(EngineError::Write)
    }

    fn here(&self) -> TemplatePosition {
        self.place(self.site.load(Ordering::Relaxed))
    }

    fn step(&self, site: usize) -> Result {
        self.site.store(site, Ordering::Relaxed);
        if self.steps.fetch_add(1, Ordering::Relaxed) >= STEPS {
            return self.fail(TemplateError::Endless { place: self.here() });
        }
        Ok(Value::String("".into()))
    }

    /// The value at the end of a chain of keys.
    fn field(&self, site: usize, base: &Value, names: &[Value]) -> Result {
        let mut value = base.clone();
        for (depth, name) in names.iter().enumerate() {
            let Value::String(name) = name else { continue };
            let next = match &value {
                Value::Map(map) => map.get(name).cloned(),
                _ => None,
            };
            let place = || self.place(site);
            value = match (next, &value) {
                (Some(next), _) => next,
                (None, Value::Map(map)) if Arc::ptr_eq(map, &self.env) => {
                    let name = name.to_string();
                    return self.fail(TemplateError::MissingVariable { place: place(), name });
                }
                (None, Value::Map(map)) => {
                    let key = Box::from(&**name);
                    let before = names[..depth].iter().map(ToString::to_string);
                    let known = map.keys().map(|known| &**known);
                    let meant = nearest(&key, known).map(|known| {
                        let names = before.chain([known.to_owned()]);
                        format!(".{}", names.collect::<Vec<_>>().join(".")).into()
                    });
                    return self.fail(TemplateError::MissingKey { place: place(), key, meant });
                }
                (None, Value::Nil) => {
                    let message = format!("nil data; no entry for key {:?}", &**name);
                    return self.fail(TemplateError::Execution { place: place(), message });
                }
                (None, other) => {
                    let kind = other.type_name();
                    let message = format!("can't evaluate field {name} in type {kind}");
                    return self.fail(TemplateError::Execution { place: place(), message });
                }
            };
        }
        Ok(value)
    }

    /// Text that may go on, or not.
    fn bounded(&self, text: String) -> Result {
        if text.len() > LIMIT {
            return self.fail(TemplateError::TooLong { place: self.here() });
        }
        Ok(Value::String(text.into()))
    }

    fn print(&self, args: &[Value]) -> Result {
        let mut out = String::new();
        let is_text = |value: &Value| matches!(value, Value::String(_));
        for (index, arg) in args.iter().enumerate() {
            if index > 0 && !is_text(arg) && !is_text(&args[index - 1]) {
                out.push(' ');
            }
            self.append(&mut out, arg)?;
        }
        self.bounded(out)
    }

    fn println(&self, args: &[Value]) -> Result {
        let mut out = String::new();
        for (index, arg) in args.iter().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            self.append(&mut out, arg)?;
        }
        out.push('\n');
        self.bounded(out)
    }

    fn append(&self, out: &mut String, value: &Value) -> Result<()> {
        match self.show(value)? {
            Value::String(text) => out.push_str(&text),
            other => {
                let _ = write!(out, "{other}");
            }
        }
        if out.len() > LIMIT {
            return self.fail(TemplateError::TooLong { place: self.here() });
        }
        Ok(())
    }

    /// The crate writes numbers with fractions as Go does for `%g` alone.
    fn show(&self, value: &Value) -> Result {
        match value {
            Value::Float(_) => self.printf(&[Value::String("%g".into()), value.clone()]),
            other => Ok(other.clone()),
        }
    }

    /// One of the functions that escape what `print` would make of their
    /// arguments.
    fn escape(&self, escape: impl Fn(&str) -> String, args: &[Value]) -> Result {
        let shown: Vec<_> = args
            .iter()
            .map(|arg| match arg {
                Value::Nil => Value::String("<no value>".into()),
                other => other.clone(),
            })
            .collect();
        match self.print(&shown)? {
            Value::String(text) => self.bounded(escape(&text)),
            other => Ok(other),
        }
    }

    /// A function of one text, which may not take it.
    fn of_text(
        &self,
        args: &[Value],
        function: fn(&str) -> std::result::Result<String, String>,
    ) -> Result {
        let made = match args {
            [Value::String(text)] => function(text),
            _ => Err("it takes one text".to_owned()),
        };
        made.map_or_else(
            |message| self.fail(TemplateError::Execution { place: self.here(), message }),
            |text| self.bounded(text),
        )
    }

    /// The crate's `printf`, which it runs only for a template.
    fn printf(&self, args: &[Value]) -> Result {
        // The crate would show what it is given instead: maybe a secret.
        let Some(Value::String(format)) = args.first() else {
            let kind = args.first().map_or("nothing", Value::type_name);
            let message = format!("printf wants a format, got {kind}");
            return self.fail(TemplateError::Execution { place: self.here(), message });
        };
        if format.matches('%').count() > VERBS {
            let message = format!("a format has {VERBS} verbs at most");
            return self.fail(TemplateError::Execution { place: self.here(), message });
        }
        let names = || (0..args.len()).map(|index| format!("a{index}"));
        let call: String = names().map(|name| format!(" .{name}")).collect();
        let data: BTreeMap<Arc<str>, Value> =
            names().map(Into::into).zip(args.iter().cloned()).collect();
        gotmpl::Template::new("printf")
            .parse(&format!("{{{{printf{call}}}}}"))
            .and_then(|printf| printf.execute_to_string(&Value::Map(Arc::new(data))))
            .and_then(|text| self.bounded(text))
    }
}

/// The functions, all of them bound to one expansion.
pub(super) fn all(state: &Arc<State>) -> FuncMap {
    let mut all = FuncMap::new();
    let mut add = |name: &str, function: fn(&State, &[Value]) -> Result| {
        let state = Arc::clone(state);
        all.insert(name.into(), Arc::new(move |args: &[Value]| function(&state, args)));
    };
    add(STEP, |state, args| state.step(site(args)));
    add(FIELD, |state, args| match args {
        [_, base, names @ ..] => state.field(site(args), base, names),
        _ => Ok(Value::Nil),
    });
    add(NOTHING, |_, _| Ok(Value::Nil));
    add(SHOW, |state, args| args.first().map_or(Ok(Value::Nil), |value| state.show(value)));
    add(UNDEFINED, |state, args| {
        let name = args.first().map(ToString::to_string).unwrap_or_default();
        let message = format!("undefined variable: {name}");
        state.fail(TemplateError::Execution { place: state.here(), message })
    });
    add("index", |_, args| index(args));
    add("print", State::print);
    add("println", State::println);
    add("printf", State::printf);
    add("html", |state, args| state.escape(html_escape, args));
    add("js", |state, args| state.escape(js_escape, args));
    add("urlquery", |state, args| state.escape(url_encode, args));
    add("semver", |state, args| state.of_text(args, naming::semver));
    add("slug", |state, args| state.of_text(args, |text| Ok(naming::slug(text))));
    all
}

/// The first argument of a step or lookup.
fn site(args: &[Value]) -> usize {
    args.first().and_then(Value::as_int).and_then(|site| usize::try_from(site).ok()).unwrap_or(0)
}

/// Go's `index`: a missing key is no error, and gives what the map's type has
/// for nothing.
fn index(args: &[Value]) -> Result {
    let Some((first, keys)) = args.split_first() else {
        let name = "index".to_owned();
        return Err(EngineError::ArgCount { name, expected: 1, got: 0 });
    };
    keys.iter().try_fold(first.clone(), |value, key| match (&value, key) {
        (Value::Map(map), Value::String(key)) => {
            Ok(map.get(key).cloned().unwrap_or_else(|| zero(map)))
        }
        _ => value.index(key),
    })
}
