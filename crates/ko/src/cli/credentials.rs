//! Holds the arguments of the commands about credentials. A password is a secret
//! from the moment that it is parsed.

use clap::builder::{StringValueParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use engine::keychain::Secret;

use super::parsed::{List, list};

/// The arguments of `ko login`.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    #[arg(value_name = "SERVER", help = "The registry")]
    pub(crate) positional: Vec<String>,
    /// Password
    #[arg(short, long, value_name = "string", value_parser = StringValueParser::new().map(Secret::new))]
    pub(crate) password: Option<Secret>,
    /// Take the password from stdin
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Username
    #[arg(short, long, value_name = "string", default_value = "")]
    pub(crate) username: String,
}

/// The arguments of `ko auth`.
#[derive(Debug, Args)]
pub(crate) struct AuthArgs {
    #[command(subcommand)]
    pub(crate) command: Option<AuthCommand>,
}

/// The commands of `ko auth`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Implements a credential helper
    #[command(
        after_help = "Examples:\n  $ echo \"reg.example.com\" | ko auth get\n  $ ko auth get reg.example.com"
    )]
    Get(GetArgs),
    /// Log in to a registry
    Login(LoginArgs),
    /// Log out of a registry
    #[command(after_help = "Examples:\n  $ ko auth logout reg.example.com")]
    Logout(LogoutArgs),
    /// Retrieves a token for a remote repo
    #[command(
        after_help = "Examples:\n  $ curl -H \"$(ko auth token -H reg.example.com/app)\" https://reg.example.com/v2/app/tags/list"
    )]
    Token(TokenArgs),
}

/// The arguments of `ko auth get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[arg(value_name = "REGISTRY_ADDR", help = "The registry; without one, it is read from stdin")]
    pub(crate) positional: Vec<String>,
}

/// The arguments of `ko auth logout`.
#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    #[arg(value_name = "SERVER", help = "The registry")]
    pub(crate) positional: Vec<String>,
}

/// The arguments of `ko auth token`.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[arg(value_name = "REPO", help = "The repository")]
    pub(crate) positional: Vec<String>,
    /// Output in header format
    #[arg(short = 'H', long)]
    pub(crate) header: bool,
    /// Scopes to mount from
    #[arg(short, long, value_name = "strings", value_parser = list)]
    pub(crate) mount: Vec<List>,
    /// Request push scopes
    #[arg(long)]
    pub(crate) push: bool,
}
