//! Settles how a program is built for a platform: environment, flags after
//! templates, file capabilities.

use std::sync::Arc;

use golang::{BuildSettings, Environment, ProgramFacts, Template};
use oci::Platform;

use super::allowed::{flags, linker};
use super::error::BuildFailure;
use super::flags::Expander;
use super::options::BuildOptions;
use super::program::{Program, target};

/// How programs are built.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) options: BuildOptions,
    /// The environment of the process.
    pub(super) environment: Environment,
    pub(super) expander: Expander,
}

impl Settings {
    /// The capabilities that the program's file gets. Other systems than
    /// linux have none.
    pub(super) fn capabilities(&self, program: &Program, platform: &Platform) -> Option<[u8; 20]> {
        let config = program.config.map(|index| &self.options.builds[index])?;
        config.capabilities.filter(|_| platform.os == "linux")
    }

    /// What templates about a program come to: their environment is that of its build,
    /// for no platform.
    pub(super) async fn expand(
        &self,
        program: &Program,
        templates: &[&Template],
        facts: ProgramFacts<'_>,
    ) -> Result<Vec<String>, BuildFailure> {
        let mut environment = self.environment.clone();
        for entry in &self.options.of(program.config).env {
            // What is no entry is found where flags are settled.
            if let Some((name, value)) = entry.split_once('=') {
                environment.set(name, value);
            }
        }
        self.expander.expand_naming(templates, &program.dir, &environment, facts).await
    }

    pub(super) async fn of(
        &self,
        program: &Program,
        platform: &Platform,
    ) -> Result<BuildSettings, BuildFailure> {
        let target = target(platform);
        let mut chosen = self.options.of(program.config);
        if let Some(verified) = &self.options.verifies {
            verified.check_environment(&chosen.env).map_err(BuildFailure::NotAllowed)?;
            verified.fill(&mut chosen);
        }
        let environment = Environment::for_target(&target, &self.environment, &chosen.env);
        let environment = environment.map_err(|source| BuildFailure::Environment {
            platform: Box::new(platform.clone()),
            source: Arc::new(source),
        })?;
        let expanded = self.expander.expand(&chosen, &program.dir, &environment).await?;
        if self.options.verifies.is_some() {
            let allowed = flags(&expanded.flags).and_then(|()| linker(&expanded.ldflags));
            allowed.map_err(BuildFailure::NotAllowed)?;
        }
        Ok(BuildSettings {
            dir: program.dir.clone(),
            target,
            environment,
            flags: expanded.flags,
            ldflags: expanded.ldflags,
            disable_optimizations: self.options.disable_optimizations,
            untrimmed: self.options.is_untrimmed(program.config),
        })
    }
}
