//! Plans programs one by one, and collects what stands in the way of each: for those who
//! want to know what is wrong before they build.

use std::collections::HashSet;

use futures::future::join_all;
use golang::{Argument, ImportPath};

use super::Planner;
use crate::build::{Memory, Program, unlisted};
use crate::error::Error;
use crate::image::ImageName;
use crate::naming::Named;

/// What is known of a program before it is built.
#[derive(Debug)]
pub struct Examined {
    /// Its import path.
    pub import_path: ImportPath,
    /// What its image is called.
    pub name: Result<ImageName, Error>,
    /// Why it would not be built.
    pub problem: Option<Error>,
}

impl Planner {
    /// Examines programs, each once, in the order of the arguments.
    pub(crate) async fn examine(&self, arguments: &[Argument]) -> Result<Vec<Examined>, Error> {
        let found = self.builder.look_up(arguments.to_vec(), Memory::Guessed).await;
        let found = found.map_err(|error| unlisted(error, arguments))?;
        let mut seen = HashSet::new();
        let programs = found.remembered.unwrap_or_default().into_iter();
        let programs: Vec<Program> =
            programs.filter(|program| seen.insert(program.main.import_path.clone())).collect();
        Ok(join_all(programs.iter().map(|program| self.examined(program))).await)
    }

    async fn examined(&self, program: &Program) -> Examined {
        let import_path = program.main.import_path.clone();
        let name = self.name(program).await.map(|named| named.image);
        // An image without a name is planned all the same, to find the rest.
        let planned = self.plan_program(program, Named::none(&import_path)).await;
        let problem = planned.err().map(|source| Error::Build {
            import_path: import_path.clone(),
            source: Box::new(source),
        });
        Examined { import_path, name, problem }
    }
}
