//! Writes files that a user names: what stands under a name decides how.
//!
//! | what is there | how it is written |
//! |---|---|
//! | nothing | by a rename: whole or not at all |
//! | a regular file | by a rename, with its mode and owner; in place where that cannot be, or where the file has further names |
//! | a symbolic link | what it leads to is written, also where that does not exist yet |
//! | a device, a pipe | in place |
//! | an open file of a process (`/dev/stdout`, `/dev/fd/3`) | at its end |
//! | a directory, a socket | not at all |

mod output;
mod target;

pub use output::{Access, Output, check, check_dir, waits_for_reader, write, write_new};
pub use target::resolve;
