//! Runs `ko config`: shows the settings in force and the origin of each.

use std::fmt::Write as _;

use crate::cli::{ConfigArgs, elements};
use crate::config::{
    self, Build, Compression, Config, Image, List, Located, Naming, Origin, Publishing, Signing,
    scalar,
};
use crate::environment::Process;
use crate::error::{Kind, Result};
use crate::settings::{self, Checked};
use crate::ui;

pub(crate) fn config(process: &Process, arguments: &ConfigArgs) -> Result<()> {
    if arguments.schema {
        return ui::print(config::SCHEMA);
    }
    ui::print(&in_force(process, arguments).map_err(|error| error.of_kind(Kind::Usage))?)
}

/// The settings in force, checked.
fn in_force(process: &Process, arguments: &ConfigArgs) -> Result<String> {
    let work_dir = settings::work_dir(process)?;
    let mut config = Config::read(process, &work_dir)?;
    if let Some(warning) = config.warning() {
        ui::log(&warning);
    }
    if !arguments.base.is_empty() {
        config.default_base_image = Located::new(arguments.base.clone(), Origin::Flag("--base"));
        config.base_image_overrides.clear();
    }
    let ldflags = List::of(elements(&arguments.ldflags), Origin::Flag("--ldflags"));
    let flags = (&arguments.compression, &arguments.registry);
    let platform = elements(&arguments.platform);
    let checked = settings::check(process, &config, &work_dir, &platform, &ldflags, flags)?;
    let Checked { platforms, compression, publishing, .. } = checked;

    let variable = |name: &'static str| {
        process.text(name).map(|text| Located::new(text, Origin::Variable(name)))
    };
    let default = |text: String| Located::new(text, Origin::Default);
    let repository = variable("KO_DOCKER_REPO").unwrap_or_else(|| default(String::new()));
    let cache = settings::cache(process)?;
    let cache = cache.map(|dir| dir.display().to_string()).unwrap_or_default();
    let cache = match process.path("KOCACHE") {
        Some(_) => Located::new(cache, Origin::Variable("KOCACHE")),
        None => default(cache),
    };
    let _ = settings::cache_size(process)?;
    let cache_size = settings::cache_size_text(process);
    let go = variable("KO_GO_PATH").unwrap_or_else(|| default("go".to_owned()));

    let mut text = show(&config, &platforms, &ldflags, &compression, &publishing);
    let rest = [
        ("repository", repository),
        ("cacheDirectory", cache),
        ("cacheMaxSize", cache_size),
        ("go", go),
    ];
    for (key, value) in rest {
        line(&mut text, &format!("{key}: "), &value);
    }
    Ok(text)
}

/// The configuration as YAML. Builds are shown as they are made: what they do
/// not say themselves is what the defaults say.
fn show(
    config: &Config,
    platforms: &List,
    typed: &List,
    compression: &Compression,
    publishing: &Publishing,
) -> String {
    let over = |list: Option<&List>, default: &List| match list {
        Some(list) if !list.items.is_empty() => list.clone(),
        _ => default.clone(),
    };
    let default_ldflags = over(Some(typed), &config.default_ldflags);
    let mut text = match &config.file {
        Some(file) => format!("# {file}\n"),
        None => "# There is no configuration file.\n".to_owned(),
    };
    line(&mut text, "defaultBaseImage: ", &config.default_base_image);
    if config.base_image_overrides.is_empty() {
        text.push_str("baseImageOverrides: {} # default\n");
    } else {
        text.push_str("baseImageOverrides:\n");
    }
    for (path, base) in &config.base_image_overrides {
        line(&mut text, &format!("  {}: ", scalar(path)), base);
    }
    if let Some(age) = &config.max_base_age {
        line(&mut text, "maxBaseAge: ", age);
    }
    list(&mut text, "", "defaultPlatforms", platforms);
    list(&mut text, "", "defaultEnv", &config.default_env);
    list(&mut text, "", "defaultFlags", &config.default_flags);
    list(&mut text, "", "defaultLdflags", &default_ldflags);
    line(&mut text, "compression: ", &compression.method);
    if let Some(level) = &compression.level {
        line(&mut text, "compressionLevel: ", level);
    }
    line(&mut text, "sbomAttach: ", &publishing.sbom_attach);
    // A boolean, as it has been checked.
    let create = &publishing.create_repositories;
    let _ = writeln!(text, "createRepositories: {} # {}", create.value, create.origin);
    signing(&mut text, config);
    let Naming { name, tags } = &config.naming;
    line(&mut text, "naming: ", &naming(name.as_ref()));
    list(&mut text, "", "imageTags", &over(Some(tags), &latest()));
    if config.default_image.is_set() {
        text.push_str("defaultImage:\n");
        image(&mut text, "  ", &config.default_image);
    }
    registries(&mut text, config);
    list(&mut text, "", "cache", &config.cache);
    text.push_str(if config.builds.is_empty() { "builds: [] # default\n" } else { "builds:\n" });
    for (index, build) in config.builds.iter().enumerate() {
        let own = |value: String, setting: Option<&Located<String>>| {
            let set = setting.filter(|setting| !setting.value.is_empty());
            let origin = set.map_or(Origin::Default, |setting| setting.origin.clone());
            Located::new(value, origin)
        };
        let Build { id, dir, main, flags, ldflags, env, linux_capabilities, .. } = build;
        line(&mut text, "  - id: ", &own(build.id(index), id.as_ref()));
        line(&mut text, "    dir: ", &own(build.dir().to_owned(), dir.as_ref()));
        line(&mut text, "    main: ", &own(build.main().to_owned(), main.as_ref()));
        let ldflags = over(Some(typed), &over(ldflags.as_ref(), &config.default_ldflags));
        list(&mut text, "    ", "flags", &over(flags.as_ref(), &config.default_flags));
        list(&mut text, "    ", "ldflags", &ldflags);
        list(&mut text, "    ", "env", &over(env.as_ref(), &config.default_env));
        let capabilities = over(linux_capabilities.as_ref(), &List::unset());
        list(&mut text, "    ", "linux_capabilities", &capabilities);
        let own = build.naming.as_ref().filter(|name| !name.value.is_empty());
        line(&mut text, "    naming: ", &naming(own.or(name.as_ref())));
        let tags = over(build.image_tags.as_ref(), &over(Some(tags), &latest()));
        list(&mut text, "    ", "imageTags", &tags);
        let own = config.image(build);
        if own.is_set() {
            text.push_str("    image:\n");
            image(&mut text, "      ", &own);
        }
    }
    text
}

/// What names are made of. Where nothing is said, they are as ko's.
fn naming(name: Option<&Located<String>>) -> Located<String> {
    let name = name.filter(|name| !name.value.is_empty());
    let default = || Located::new("{{.Base}}-{{.MD5}}".to_owned(), Origin::Default);
    name.cloned().unwrap_or_else(default)
}

/// What is said of signatures; nothing where nothing is.
fn signing(text: &mut String, config: &Config) {
    let Signing { key, config: services, format, sign, provenance } = &config.signing;
    let all = [
        ("sign", sign),
        ("provenance", provenance),
        ("key", key),
        ("config", services),
        ("format", format),
    ];
    if all.iter().any(|(_, value)| value.is_some()) {
        text.push_str("signing:\n");
    }
    for (name, value) in all {
        if let Some(value) = value {
            line(text, &format!("  {name}: "), value);
        }
    }
}

fn latest() -> List {
    List::of(["latest".to_owned()], Origin::Default)
}

fn registries(text: &mut String, config: &Config) {
    let empty = config.registries.is_empty();
    text.push_str(if empty { "registries: {} # default\n" } else { "registries:\n" });
    for registry in &config.registries {
        let Located { value, origin } = &registry.host;
        let _ = writeln!(text, "  {}: # {origin}", scalar(value));
        for (key, value) in registry.scalars() {
            if let Some(value) = value {
                line(text, &format!("    {key}: "), value);
            }
        }
        if let Some(mirrors) = &registry.mirrors {
            list(text, "    ", "mirrors", mirrors);
        }
    }
    line(text, "registriesConf: ", &config.registries_conf);
}

/// What is said of an image.
fn image(text: &mut String, indent: &str, image: &Image) {
    let scalars =
        |text: &mut String, indent: &str, scalars: &[(&str, Option<&Located<String>>)]| {
            for (key, value) in scalars {
                if let Some(value) = value {
                    line(text, &format!("{indent}{key}: "), value);
                }
            }
        };
    for (key, value) in image.lists() {
        if let Some(value) = value {
            list(text, indent, key, value);
        }
    }
    scalars(text, indent, &image.scalars());
    for (key, switch) in image.switches() {
        if let Some(Located { value, origin }) = switch {
            let _ = writeln!(text, "{indent}{key}: {value} # {origin}");
        }
    }
    for (index, entry) in image.files.iter().flatten().enumerate() {
        if index == 0 {
            let _ = writeln!(text, "{indent}files:");
        }
        line(text, &format!("{indent}  - src: "), &entry.src);
        let inner = format!("{indent}    ");
        line(text, &format!("{inner}dst: "), &entry.dst);
        let rest = [("mode", entry.mode.as_ref()), ("owner", entry.owner.as_ref())];
        scalars(text, &inner, &rest);
        if let Some(Located { value, origin }) = &entry.template {
            let _ = writeln!(text, "{inner}template: {value} # {origin}");
        }
        if let Some(platform) = &entry.platform {
            list(text, &inner, "platform", platform);
        }
    }
    for (key, map) in image.maps() {
        let Some(map) = map else { continue };
        let _ = writeln!(text, "{indent}{key}:{}", if map.is_empty() { " {}" } else { "" });
        for (name, value) in map {
            let start = format!("{indent}  {}: ", scalar(&name.value));
            match value {
                Some(value) => line(text, &start, value),
                None => _ = writeln!(text, "{start}null # {}", name.origin),
            }
        }
    }
    if let Some(check) = &image.healthcheck {
        let inner = format!("{indent}  ");
        let _ = writeln!(text, "{indent}healthcheck:");
        list(text, &inner, "test", &check.test);
        scalars(text, &inner, &check.scalars());
    }
}

fn list(text: &mut String, indent: &str, key: &str, list: &List) {
    if list.items.is_empty() {
        let _ = writeln!(text, "{indent}{key}: [] # {}", list.origin);
        return;
    }
    let _ = writeln!(text, "{indent}{key}:");
    for item in &list.items {
        line(text, &format!("{indent}  - "), item);
    }
}

fn line(text: &mut String, start: &str, value: &Located<String>) {
    let _ = writeln!(text, "{start}{} # {}", scalar(&value.value), value.origin);
}
