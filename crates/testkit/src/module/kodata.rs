//! Static assets beside a main.

use super::{make_dir, symlink, write};
use crate::random::Random;
use std::path::Path;

/// Writes `kodata` below the directory of a main, with one of everything that
/// may be in it anywhere. (A link out of it is another matter: whether it is
/// allowed depends on the git repository around it.)
///
/// | name | what |
/// |---|---|
/// | `plain.txt` | a file |
/// | `nested/deep/file.txt` | a file in directories |
/// | `empty` | an empty directory |
/// | `link.txt` | a link to `plain.txt` |
/// | `linked` | a link to the directory `nested` |
/// | `grüße-日本.txt` | a name outside ASCII |
/// | `long/aaa….txt` | a name of 124 bytes, more than a tar header holds |
/// | `.git/HEAD` | hidden, and not a repository |
///
/// # Panics
/// If it cannot be written.
pub fn special_kodata(main: &Path) {
    let kodata = main.join("kodata");
    write(&kodata.join("plain.txt"), "plain\n");
    write(&kodata.join("nested/deep/file.txt"), "nested\n");
    make_dir(&kodata.join("empty"));
    symlink("plain.txt", &kodata.join("link.txt"));
    symlink("nested", &kodata.join("linked"));
    write(&kodata.join("grüße-日本.txt"), "words\n");
    write(&kodata.join("long").join("a".repeat(120) + ".txt"), "long\n");
    write(&kodata.join(".git/HEAD"), "ref: refs/heads/main\n");
}

/// Writes `kodata` below the directory of a main: `megabytes` × 1,000,000
/// bytes in `files` files of equal size, a hundred to a directory.
///
/// The same arguments give the same bytes. One file in eight is noise, as
/// pictures and fonts are to gzip; the others are text that gzip brings to
/// about 40 %, so that the whole shrinks to about half. Neither a compressor
/// that gives up early nor one that tries hard has it easy.
///
/// # Panics
/// If it cannot be written, or `files` is 0.
pub fn kodata(main: &Path, megabytes: usize, files: usize) {
    let size = megabytes * 1_000_000 / files;
    for number in 0..files {
        let mut random = Random::named(&format!("kodata {number}"));
        let (kind, content) =
            if number % 8 == 7 { ("bin", random.noise(size)) } else { ("txt", random.text(size)) };
        let name = format!("kodata/{:03}/{number:05}.{kind}", number / 100);
        write(&main.join(name), content);
    }
}
