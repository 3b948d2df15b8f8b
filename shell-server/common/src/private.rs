//! Files and directories that are this user's alone.

use std::fs::{DirBuilder, File, OpenOptions, symlink_metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The bits of a mode that let others in.
pub const MODE_OTHERS: u32 = 0o077;
/// Readable and writable for the owner, and nobody else.
const MODE_FILE: u32 = 0o600;
/// The same, and to be entered.
const MODE_DIRECTORY: u32 = 0o700;

/// Creates a file for its owner to read and write.
///
/// # Errors
/// When something of this name is there, be it a symbolic link to nothing, or the system refuses.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(MODE_FILE).open(path)
}

/// Creates a directory for its owner to enter.
///
/// # Errors
/// When something of this name is there, or the system refuses.
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(MODE_DIRECTORY).create(path)
}

/// Whether a directory, and no symbolic link to one, belongs to this user and lets nobody else in.
#[must_use]
pub fn is_directory(path: &Path) -> bool {
    symlink_metadata(path).is_ok_and(|found| {
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & MODE_OTHERS == 0
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::ErrorKind;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_created_is_the_owners_alone_and_new() {
        let directory = tempfile::tempdir().unwrap();
        let [file, inner, link] = ["file", "inner", "link"].map(|name| directory.path().join(name));
        create_file(&file).unwrap();
        create_directory(&inner).unwrap();
        symlink(directory.path().join("nothing"), &link).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&file), mode(&inner)), (0o600, 0o700));
        for path in [&file, &inner, &link] {
            assert_eq!(create_file(path).unwrap_err().kind(), ErrorKind::AlreadyExists, "{path:?}");
            assert_eq!(create_directory(path).unwrap_err().kind(), ErrorKind::AlreadyExists, "{path:?}");
        }
        assert!(!directory.path().join("nothing").exists(), "no link is followed");
    }

    #[test]
    fn a_directory_is_private_if_nobody_else_gets_in() {
        let directory = tempfile::tempdir().unwrap();
        let [inner, link, file] = ["inner", "link", "file"].map(|name| directory.path().join(name));
        create_directory(&inner).unwrap();
        symlink(&inner, &link).unwrap();
        create_file(&file).unwrap();
        assert!(is_directory(&inner));
        assert!(!is_directory(&link) && !is_directory(&file) && !is_directory(&directory.path().join("nothing")));
        for mode in [0o710, 0o704, 0o1777] {
            fs::set_permissions(&inner, Permissions::from_mode(mode)).unwrap();
            assert!(!is_directory(&inner), "{mode:o}");
        }
    }
}
