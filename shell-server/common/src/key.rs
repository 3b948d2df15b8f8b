//! Keys as people handle them: in files that only their owner can read, and behind the `#` of an address.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, general_purpose};
use nalcast_core::handshake::SharedKey;

use crate::private::{self, MODE_OTHERS};

/// More than a key file can hold.
const FILE_BYTES_MAX: u64 = 1024;

const LENIENT: GeneralPurposeConfig = general_purpose::PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Why there is no key. Never shows a part of one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot {what} the key file {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others can read the file.
    #[error(
        "the key file {} can be read by others, so it is no secret; make it yours alone with `chmod 600 {0}`, \
         or make a new key",
        path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
    },
    /// What it holds is no key.
    #[error("{place} holds no key: a key is 32 bytes in base64, 43 characters without padding")]
    Malformed {
        /// Where it was looked for.
        place: String,
    },
}

/// Reads a key from base64 or base64url, with or without padding and a line end.
#[must_use]
pub fn parse_key(text: &str) -> Option<SharedKey> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
    Some(SharedKey::new(bytes.try_into().ok()?))
}

/// A key as it stands in addresses: base64url without padding.
#[must_use]
pub fn format_key(key: &SharedKey) -> String {
    URL_SAFE_NO_PAD.encode(key.expose())
}

/// Reads the key in a file that nobody else can read.
///
/// # Errors
/// [`KeyError`].
pub fn read_key_file(path: &Path) -> Result<SharedKey, KeyError> {
    let failed = |source| KeyError::File { what: "read", path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & MODE_OTHERS != 0 {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    read_key(file, &format!("the key file {}", path.display())).map_err(failed)?
}

/// Reads a key from a stream, called `place` in messages.
///
/// # Errors
/// When reading fails; inside, when what was read is no key.
pub fn read_key(stream: impl Read, place: &str) -> io::Result<Result<SharedKey, KeyError>> {
    let mut bytes = Vec::new();
    stream.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let key = core::str::from_utf8(&bytes).ok().and_then(parse_key);
    Ok(key.ok_or_else(|| KeyError::Malformed { place: place.to_owned() }))
}

/// Writes a key to a file that only its owner can read, in the place of what was there.
///
/// # Errors
/// [`KeyError::File`].
pub fn write_key_file(path: &Path, key: &SharedKey) -> Result<(), KeyError> {
    // A new file, then moved to its name: at no time can others read it, or half of it.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut file = private::create_file(&temporary)?;
        file.write_all(format!("{}\n", format_key(key)).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|source| KeyError::File { what: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const KEY: [u8; 32] = [0xfb; 32];
    const STANDARD_TEXT: &str = "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=";

    #[test]
    fn every_way_to_write_a_key_is_understood() {
        let url_safe = STANDARD_TEXT.replace('+', "-").replace('/', "_");
        for text in [STANDARD_TEXT, &url_safe] {
            for text in [text, text.trim_end_matches('=')] {
                for end in ["", "\n", "\r\n"] {
                    let key = parse_key(&format!("{text}{end}"));
                    assert_eq!(key.map(|key| *key.expose()), Some(KEY), "{text:?}{end:?}");
                }
            }
        }
        assert_eq!(format_key(&SharedKey::new(KEY)), url_safe.trim_end_matches('='));
        let too_short = &url_safe[..40];
        let too_long = format!("AAAA{url_safe}");
        for text in ["", "\n", too_short, &too_long, "+-v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s", " "] {
            assert!(parse_key(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_key_file_comes_back_and_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_key_file(&path, &SharedKey::new([1; 32])).unwrap();
        write_key_file(&path, &SharedKey::new(KEY)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*read_key_file(&path).unwrap().expose(), KEY);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_key_file(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{mode:o}: {error}");
        }
    }

    #[test]
    fn messages_show_no_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let text = &STANDARD_TEXT[1..];
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = read_key_file(&path).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("holds no key") && !shown.contains("v7+"), "{shown}");
        assert!(read_key_file(&directory.path().join("none")).unwrap_err().to_string().contains("cannot read"));
    }
}
