//! Describes images: expands what is configured of them, before anything is built.

use std::sync::Arc;

use golang::{Template, TemplateError};

use crate::build::{BuildConfig, BuildFailure, BuildOptions, Builder, Program};
use crate::image::{ImageSettings, Text};
use crate::naming::Facts;

/// What images say of themselves.
#[derive(Debug)]
pub(crate) struct Descriptions {
    all: ImageSettings,
    /// By the place of the build, with its id.
    builds: Vec<(String, ImageSettings)>,
}

/// Why an image cannot be described.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A template cannot be expanded.
    #[error("{place}")]
    Template {
        /// Where it is configured.
        place: String,
        /// Why not.
        #[source]
        source: Arc<TemplateError>,
    },
    /// What a template looks at is not known.
    #[error(transparent)]
    Data(BuildFailure),
    /// A template has come to something that the setting does not take.
    #[error("{place}: {reason}")]
    Value {
        /// Where it is configured.
        place: String,
        /// Why not.
        reason: String,
    },
}

impl DescribeError {
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Template { source, .. } => source.hint(),
            Self::Data(source) => source.hint(),
            Self::Cancelled | Self::Value { .. } => None,
        }
    }
}

impl Descriptions {
    pub(crate) fn new(options: &BuildOptions) -> Self {
        let build = |build: &BuildConfig| (build.id.clone(), build.image.clone());
        Self { all: options.image.clone(), builds: options.builds.iter().map(build).collect() }
    }

    /// What templates see of a program.
    pub(crate) fn facts(&self, program: &Program) -> Facts<'_> {
        let id = program.config.map_or("", |index| &self.builds[index].0);
        Facts::new(&program.main.import_path, id)
    }

    /// Where the entrypoint of a program's image is configured, if it is.
    pub(crate) fn entrypoint(&self, program: &Program) -> Option<String> {
        let own = program.config.map(|index| &self.builds[index].1);
        let words = own.unwrap_or(&self.all).entrypoint.as_ref()?;
        words.first().map(|word| word.place().to_string())
    }

    /// What the image of a program says of itself.
    pub(crate) async fn of(
        &self,
        builder: &dyn Builder,
        program: &Program,
    ) -> Result<ImageSettings<String>, DescribeError> {
        let own = program.config.map(|index| &self.builds[index]);
        let settings = own.map_or(&self.all, |(_, settings)| settings);
        let texts = settings.texts();
        if texts.is_empty() {
            return Ok(settings.expanded([]));
        }
        let facts = self.facts(program);
        let templates: Vec<&Template> = texts.iter().map(|text| text.template()).collect();
        let expanded = match builder.expand(program, &templates, facts.facts()).await {
            Ok(expanded) => expanded,
            Err(BuildFailure::Cancelled) => return Err(DescribeError::Cancelled),
            Err(BuildFailure::Template(source)) => {
                return Err(match failed(builder, program, &texts, &facts).await {
                    Some(text) => {
                        DescribeError::Template { place: text.place().to_string(), source }
                    }
                    None => DescribeError::Data(BuildFailure::Template(source)),
                });
            }
            Err(failure) => return Err(DescribeError::Data(failure)),
        };
        for (text, expanded) in texts.iter().zip(&expanded) {
            let wrong = |reason| DescribeError::Value { place: text.place().to_string(), reason };
            text.check(expanded).map_err(wrong)?;
        }
        Ok(settings.expanded(expanded))
    }
}

/// The first value that cannot be expanded.
async fn failed<'a>(
    builder: &dyn Builder,
    program: &Program,
    texts: &[&'a Text],
    facts: &Facts<'_>,
) -> Option<&'a Text> {
    for text in texts {
        if builder.expand(program, &[text.template()], facts.facts()).await.is_err() {
            return Some(text);
        }
    }
    None
}
