//! Runs `ko login`: stores a password where Docker stores it.

use engine::Registry;
use engine::keychain::{CredentialStore, Kept, Secret, credential_store};

use super::{one, wait};
use crate::cli::LoginArgs;
use crate::environment::Process;
use crate::error::{CommandError, Kind, Result};
use crate::{network, prompt, ui};

pub(crate) fn login(process: &Process, arguments: &LoginArgs) -> Result<()> {
    let registry =
        registry(one(&arguments.positional, "the registry", "ko login registry.example.com")?)?;
    let name = match arguments.username.as_str() {
        "" if !arguments.password_stdin => prompt::ask(&format!("User name for {registry}: ")),
        name => Some(name.to_owned()),
    };
    let name = name.unwrap_or_default();
    let password = match &arguments.password {
        _ if arguments.password_stdin => Secret::new(without_line_end(&process.input()?)),
        Some(password) => password.clone(),
        None if name.is_empty() => Secret::default(),
        // Without a terminal it is empty, as ko has it.
        None => prompt::ask_secret(&format!("Password of {name}: "))
            .map_or_else(Secret::default, |typed| Secret::new(&typed)),
    };
    // ko stores a password without a name as well, and Docker's libraries then
    // refuse the whole file.
    if name.is_empty() {
        return Err(CommandError::new("username and password required")
            .hint(Some(
                "name the user with -u, and pipe the password to --password-stdin".to_owned(),
            ))
            .of_kind(Kind::Usage));
    }
    let store = store(process)?;
    let kept = wait(store.store(&registry, &name, &password))?;
    let kept = kept.map_err(|error| CommandError::of(&error))?;
    let file = store.file().display();
    if kept == Kept::InFile && password != Secret::default() {
        ui::print_stderr(&format!(
            "\nWARNING! Your credentials are stored unencrypted in '{file}'.\n\
             Configure a credential helper to remove this warning. See\n\
             https://docs.docker.com/go/credential-store/\n\n"
        ));
    }
    ui::log(&format!("logged in via {file}"));
    Ok(())
}

/// Reads a registry's name.
pub(super) fn registry(text: &str) -> Result<Registry> {
    let hint = "a registry is a host, perhaps with a port, as in registry.example.com:5000";
    text.parse()
        .map_err(|error| CommandError::of(&error).hint(Some(hint.to_owned())).of_kind(Kind::Usage))
}

/// Where logins are kept.
pub(super) fn store(process: &Process) -> Result<CredentialStore> {
    credential_store(network::docker_places(process)).ok_or_else(|| {
        CommandError::new("there is no directory for docker's configuration")
            .hint(Some("set DOCKER_CONFIG to one, or HOME".to_owned()))
    })
}

/// The piped password, without the line end that `echo` adds.
fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_no_part_of_a_password() {
        for (text, want) in
            [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a \r", "a "), ("", "")]
        {
            assert_eq!(without_line_end(text), want, "{text:?}");
        }
    }
}
