//! Names the images of a run, before anything is built: what the options say of all,
//! and the builds of theirs, with templates expanded.

use std::collections::HashMap;
use std::sync::Arc;

use golang::{ImportPath, ProgramFacts, Template, TemplateError, lowercase};
use oci::{ReferenceError, Tag};

use crate::build::{BuildConfig, BuildFailure, Builder, Program};
use crate::destinations::DestinationOptions;
use crate::events::{Event, Observer};
use crate::image::namer::{base, join, md5_of};
use crate::image::{ImageName, Namer, TagSource};

/// How the images of a run are named.
#[derive(Debug)]
pub(crate) struct Naming {
    repository: String,
    /// Whether references have a tag and no digest, so that there must be one tag.
    tag_only: bool,
    all: Rules,
    /// By the place of the build.
    builds: Vec<(String, Rules)>,
    namer: Namer,
}

/// What is said of names: nothing, or how they are made.
#[derive(Debug, Default)]
struct Rules {
    name: Option<Template>,
    tags: Vec<TagSource>,
}

/// The name of an image, and whether another image may have it, too.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) image: ImageName,
    /// As with `--bare`, which ko allows for several programs. What a template has
    /// made is meant to be one image's.
    may_be_shared: bool,
}

impl Named {
    /// Of an image that is nowhere: others are built upon it.
    pub(crate) fn none(import_path: &ImportPath) -> Self {
        let import_path = import_path.clone();
        Self {
            image: ImageName { import_path, name: String::new(), tags: Vec::new() },
            may_be_shared: true,
        }
    }
}

/// Why an image has no name.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NamingError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A template cannot be expanded.
    #[error(transparent)]
    Template(Arc<TemplateError>),
    /// What a template looks at is not known.
    #[error(transparent)]
    Data(BuildFailure),
    /// A template has come to something that is no tag.
    #[error("{template:?} is not a tag")]
    Tag {
        /// The template.
        template: String,
        /// Why not.
        #[source]
        source: ReferenceError,
    },
    /// All templates have come to nothing.
    #[error("{}: nothing would be pushed", empty(templates))]
    NoTag {
        /// The templates.
        templates: Vec<String>,
    },
    /// References are to have a tag and no digest, and that is `latest`.
    #[error("latest tag cannot be used in tag-only references")]
    Latest,
    /// References are to have a tag and no digest, and there are several.
    #[error("must specify exactly one tag to resolve images into tag-only references")]
    SeveralTags,
}

/// Says which templates have come to nothing.
fn empty(templates: &[String]) -> String {
    match templates {
        [template] => format!("the tag '{template}' is empty"),
        templates => {
            let quoted: Vec<String> = templates.iter().map(|text| format!("'{text}'")).collect();
            format!("the tags {} are empty", quoted.join(", "))
        }
    }
}

impl NamingError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Template(source) => source.hint(),
            Self::Data(source) => source.hint(),
            Self::Tag { .. } => Some(
                "{{ slug … }} makes of a text, such as a branch, what a tag may have".to_owned(),
            ),
            Self::NoTag { templates } if templates.iter().any(|text| text.contains(".Git.")) => {
                Some(
                    "git knows of no such commit or tag here; a tag without a template beside it, \
                     as in -t latest, is always there"
                        .to_owned(),
                )
            }
            Self::Cancelled | Self::NoTag { .. } | Self::Latest | Self::SeveralTags => None,
        }
    }
}

impl From<BuildFailure> for NamingError {
    fn from(failure: BuildFailure) -> Self {
        match failure {
            BuildFailure::Cancelled => Self::Cancelled,
            BuildFailure::Template(source) => Self::Template(source),
            failure => Self::Data(failure),
        }
    }
}

/// Two images of a run that would have one name, and which.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) reference: String,
    pub(crate) programs: [ImportPath; 2],
}

impl Naming {
    pub(crate) fn new(options: &DestinationOptions, builds: &[BuildConfig]) -> Self {
        let rules = |name: &Option<Template>, tags: &[TagSource]| Rules {
            name: name.clone(),
            tags: tags.to_vec(),
        };
        let build = |build: &BuildConfig| (build.id.clone(), rules(&build.naming, &build.tags));
        Self {
            repository: options.repository.clone(),
            tag_only: options.tag_only && options.push,
            all: rules(&options.naming, &options.tags),
            builds: builds.iter().map(build).collect(),
            namer: options.namer,
        }
    }

    /// The name of a program's image.
    pub(crate) async fn name(
        &self,
        builder: &dyn Builder,
        program: &Program,
    ) -> Result<Named, NamingError> {
        let own = program.config.map(|index| &self.builds[index]);
        let template = own.and_then(|(_, rules)| rules.name.as_ref()).or(self.all.name.as_ref());
        let tags = own.map(|(_, rules)| &rules.tags).filter(|tags| !tags.is_empty());
        let tags = tags.unwrap_or(&self.all.tags);
        let templates = template.into_iter().chain(tags.iter().filter_map(TagSource::template));
        let templates: Vec<&Template> = templates.collect();
        let import_path = program.main.import_path.as_str();
        let mut texts = if templates.is_empty() {
            Vec::new()
        } else {
            let facts = Facts::new(&program.main.import_path, own.map_or("", |(id, _)| id));
            builder.expand(program, &templates, facts.facts()).await?
        }
        .into_iter();
        let name = match template {
            Some(_) => join(&self.repository, &texts.next().unwrap_or_default()),
            None => self.namer.name(&self.repository, import_path),
        };
        let tags_of = tags;
        let tags = parsed(tags, texts)?;
        match &tags[..] {
            [] => {
                let templates = tags_of.iter().filter_map(TagSource::template);
                let templates = templates.map(|template| template.source().to_owned()).collect();
                return Err(NamingError::NoTag { templates });
            }
            [tag] if self.tag_only && *tag == Tag::latest() => return Err(NamingError::Latest),
            [_, _, ..] if self.tag_only => return Err(NamingError::SeveralTags),
            _ => {}
        }
        let import_path = program.main.import_path.clone();
        Ok(Named {
            image: ImageName { import_path, name, tags },
            may_be_shared: templates.is_empty(),
        })
    }
}

/// What templates see of a program beside its repository.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    path: String,
    md5: String,
    id: &'a str,
}

impl<'a> Facts<'a> {
    /// Of a program whose build has this id, or none.
    pub(crate) fn new(import_path: &ImportPath, id: &'a str) -> Self {
        let path = lowercase(import_path.as_str());
        Self { md5: md5_of(&path), path, id }
    }

    pub(crate) fn facts(&self) -> ProgramFacts<'_> {
        let (import_path, md5) = (&self.path, &self.md5);
        let base = base(import_path);
        ProgramFacts { import_path, base, md5, id: self.id, tagged: false, remote: "" }
    }
}

/// The tags, each once; `texts` is what the templates have come to.
fn parsed(
    tags: &[TagSource],
    mut texts: impl Iterator<Item = String>,
) -> Result<Vec<Tag>, NamingError> {
    let mut all: Vec<Tag> = Vec::new();
    let mut add = |tag: Tag| {
        if !all.contains(&tag) {
            all.push(tag);
        }
    };
    for source in tags {
        match source {
            TagSource::Tag(tag) => add(tag.clone()),
            TagSource::Template(template) => {
                let text = texts.next().unwrap_or_default();
                for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                    add(tag.parse().map_err(|source| NamingError::Tag {
                        template: template.source().to_owned(),
                        source,
                    })?);
                }
            }
        }
    }
    Ok(all)
}

/// Whether each image of a run has a name and a tag for itself. Where ko lets the last
/// one have it, this is only noted.
pub(crate) fn check_shared(names: &[Named], observer: &Observer) -> Result<(), Shared> {
    let mut seen: HashMap<String, &Named> = HashMap::new();
    let mut noted = None;
    for named in names {
        for reference in named.image.tagged() {
            let Some(first) = seen.insert(reference.clone(), named) else { continue };
            let programs = [first, named].map(|named| named.image.import_path.clone());
            if !(first.may_be_shared && named.may_be_shared) {
                return Err(Shared { reference, programs });
            }
            noted.get_or_insert((reference, programs));
        }
    }
    if let Some((reference, [first, second])) = noted {
        observer.emit(Event::Notice {
            text: format!(
                "ko://{first} and ko://{second} are both {reference}: the last one stays"
            ),
            hint: Some(SHARED_HINT.to_owned()),
        });
    }
    Ok(())
}

/// What can be done where two images have one name.
pub(crate) const SHARED_HINT: &str =
    "-B names images after their programs, and so does {{.Base}} in `naming` or a tag";
