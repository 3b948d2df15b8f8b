//! The file in which the token is found by whoever started the server.

use std::env;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;

use nalcast_core::secrets::Secrets;
use shell_common::private;

use super::ControlToken;

/// Why there is no such file. Never shows what would have been in it.
#[derive(Debug, thiserror::Error)]
#[error("cannot create {} for the control token: {source}; {}", path.display(), advice(source))]
pub struct TokenFileError {
    path: PathBuf,
    source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    if error.kind() == ErrorKind::AlreadyExists {
        "delete it if no other server uses it, or choose another path with `--control-token-file PATH`"
    } else {
        "choose another path with `--control-token-file PATH`"
    }
}

/// Where files for the time of one run may be.
#[derive(Clone, Debug)]
pub struct Places {
    /// The user's own directory for such files (XDG Base Directory Specification, `XDG_RUNTIME_DIR`).
    pub runtime: Option<PathBuf>,
    /// The directory of everybody's temporary files.
    pub temporary: PathBuf,
}

impl Places {
    /// What the environment says.
    #[must_use]
    pub fn of_environment() -> Self {
        Self { runtime: env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), temporary: env::temp_dir() }
    }

    /// A directory that nobody else can enter.
    fn private_directory(&self, secrets: &mut Secrets) -> Result<Directory, TokenFileError> {
        // With the rights of somebody else, as under sudo, the variable can name a directory of whom it was taken from.
        if let Some(runtime) = self.runtime.as_deref().filter(|path| path.is_absolute() && private::is_directory(path))
        {
            let own = runtime.join("nalcast");
            // An earlier run may have made it.
            let _ = private::create_directory(&own);
            if private::is_directory(&own) {
                return Ok(Directory { path: own, is_fresh: false });
            }
        }
        let fresh = self.temporary.join(format!("nalcast-{:016x}", secrets.next_u64()));
        match private::create_directory(&fresh) {
            Ok(()) => Ok(Directory { path: fresh, is_fresh: true }),
            Err(source) => Err(TokenFileError { path: fresh, source }),
        }
    }
}

/// Removed when this is dropped, if it was made for this.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    is_fresh: bool,
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_fresh {
            // What somebody has put there stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// The file; deleted when this is dropped.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// Device and number of the file: what else comes to be at its path is somebody else's.
    identity: (u64, u64),
    /// Goes after the file, which is in it.
    _directory: Option<Directory>,
}

impl TokenFile {
    /// Writes the token to `path`, where nothing may be yet.
    ///
    /// # Errors
    /// When something is there, or the system refuses.
    pub fn create_at(path: &Path, token: &ControlToken) -> Result<Self, TokenFileError> {
        Self::create(path.to_owned(), None, token)
    }

    /// Writes the token to a private directory. `port`, at which the token is accepted, is a part of the name.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create_in(
        places: &Places,
        port: u16,
        token: &ControlToken,
        secrets: &mut Secrets,
    ) -> Result<Self, TokenFileError> {
        let directory = places.private_directory(secrets)?;
        // The process too: a file that a run left behind, or one for the same port of another address, is in nobody's way.
        let path = directory.path.join(format!("{port}-{}.token", process::id()));
        Self::create(path, Some(directory), token)
    }

    fn create(path: PathBuf, directory: Option<Directory>, token: &ControlToken) -> Result<Self, TokenFileError> {
        let write = || {
            let mut file = private::create_file(&path)?;
            let created = Self { path: path.clone(), identity: identity(&file.metadata()?), _directory: directory };
            file.write_all(format!("{}\n", token.expose()).as_bytes())?;
            Ok(created)
        };
        write().map_err(|source| TokenFileError { path: path.clone(), source })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("cannot delete {}: {error}; its token is of no use any more", self.path.display());
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    struct Home {
        directory: TempDir,
        places: Places,
        secrets: Secrets,
        token: ControlToken,
    }

    /// A runtime directory and one for temporary files, as a system has them.
    fn home() -> Home {
        let directory = tempfile::tempdir().unwrap();
        let (runtime, temporary) = (directory.path().join("runtime"), directory.path().join("temporary"));
        private::create_directory(&runtime).unwrap();
        fs::create_dir(&temporary).unwrap();
        let mut secrets = Secrets::new([1; 32]);
        let token = ControlToken::random(&mut secrets);
        Home { directory, places: Places { runtime: Some(runtime), temporary }, secrets, token }
    }

    impl Home {
        fn create(&mut self) -> TokenFile {
            TokenFile::create_in(&self.places, 8080, &self.token, &mut self.secrets).unwrap()
        }

        /// The names in the directory for temporary files.
        fn temporaries(&self) -> Vec<PathBuf> {
            fs::read_dir(&self.places.temporary).unwrap().map(|entry| entry.unwrap().path()).collect()
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn the_token_is_in_the_users_own_directory_as_long_as_the_server_runs() {
        let mut home = home();
        let own = home.places.runtime.clone().unwrap().join("nalcast");
        // The directory stays, and the next one finds it.
        for _ in 0..2 {
            let file = home.create();
            let path = file.path().to_owned();
            assert_eq!(path, own.join(format!("8080-{}.token", process::id())));
            assert_eq!((mode(&own), mode(&path)), (0o700, 0o600));
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", home.token.expose()));
            assert!(!format!("{file:?}").contains(home.token.expose()));
            drop(file);
            assert!(!path.exists());
        }
        assert_eq!(home.temporaries(), Vec::<PathBuf>::new());
    }

    #[test]
    fn without_a_directory_that_is_the_users_alone_a_fresh_one_is_made_and_removed() {
        type Spoil = fn(&mut Home);
        let spoil: [Spoil; 6] = [
            |home| home.places.runtime = None,
            |home| home.places.runtime = Some("relative".into()),
            |home| home.places.runtime = Some("/nonexistent".into()),
            |home| fs::set_permissions(home.places.runtime.as_ref().unwrap(), Permissions::from_mode(0o755)).unwrap(),
            |home| {
                let own = home.places.runtime.as_ref().unwrap().join("nalcast");
                symlink(&home.places.temporary, own).unwrap();
            },
            |home| {
                let own = home.places.runtime.as_ref().unwrap().join("nalcast");
                fs::create_dir(&own).unwrap();
                fs::set_permissions(own, Permissions::from_mode(0o755)).unwrap();
            },
        ];
        for (index, spoil) in spoil.into_iter().enumerate() {
            let mut home = home();
            spoil(&mut home);
            let file = home.create();
            let directory = file.path().parent().unwrap().to_owned();
            assert_eq!(home.temporaries(), core::slice::from_ref(&directory), "{index}");
            assert_eq!((mode(&directory), mode(file.path())), (0o700, 0o600), "{index}");
            let other = home.create();
            assert_ne!(file.path(), other.path(), "{index}");
            drop((file, other));
            assert_eq!(home.temporaries(), Vec::<PathBuf>::new(), "{index}");
        }
    }

    #[test]
    fn what_is_there_is_neither_used_nor_followed_nor_deleted() {
        let home = home();
        let [file, link, target] = ["file", "link", "target"].map(|name| home.directory.path().join(name));
        fs::write(&file, "somebody else's").unwrap();
        symlink(&target, &link).unwrap();
        for path in [&file, &link] {
            let error = TokenFile::create_at(path, &home.token).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()) && error.contains("delete it"), "{error}");
            assert!(!error.contains(home.token.expose()), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "somebody else's");
        assert!(!target.exists() && fs::symlink_metadata(&link).is_ok());
        let nowhere = TokenFile::create_at(&home.directory.path().join("no/where"), &home.token).unwrap_err();
        assert!(nowhere.to_string().ends_with("choose another path with `--control-token-file PATH`"), "{nowhere}");
    }

    #[test]
    fn what_has_taken_its_place_stays() {
        let home = home();
        let path = home.directory.path().join("token");
        let file = TokenFile::create_at(&path, &home.token).unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::rename(&path, home.directory.path().join("elsewhere")).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");
    }
}
