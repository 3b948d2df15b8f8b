//! Who is let in, and what the user is given to pass on.

use core::net::SocketAddr;
use std::io::{self, Write};

use nalcast_core::handshake::{Noise, SharedKey};
use nalcast_core::secrets::Secrets;
use shell_common::cipher::preferred_cipher;
use shell_common::key::{KeyError, format_key, read_key_file, write_key_file};

use crate::config::Config;

/// Who is let in.
#[derive(Clone, Debug)]
pub enum Invitation {
    /// Anybody.
    Open,
    /// Whoever has the key that was made for this run.
    Generated(SharedKey),
    /// Whoever has the key in a file.
    File(SharedKey, String),
}

impl Invitation {
    /// What the command line asks for.
    ///
    /// # Errors
    /// When the key file cannot be read or written, holds no key, or others can read it.
    pub fn of(config: &Config, secrets: &mut Secrets) -> Result<Self, KeyError> {
        let Some(path) = config.key_file.as_deref() else {
            return Ok(if config.open { Self::Open } else { Self::Generated(SharedKey::random(secrets)) });
        };
        if config.new_key {
            write_key_file(path, &SharedKey::random(secrets))?;
        }
        Ok(Self::File(read_key_file(path)?, path.display().to_string()))
    }

    /// What viewers have to prove.
    #[must_use]
    pub fn handshake(&self) -> Noise {
        match self {
            Self::Open => Noise::open(preferred_cipher()),
            Self::Generated(key) | Self::File(key, _) => Noise::with_key(key.clone(), preferred_cipher()),
        }
    }

    /// Tells how to watch what is at `address`. A key is shown on a terminal only: elsewhere it would stay.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn print(&self, out: &mut impl Write, is_terminal: bool, address: SocketAddr, by_code: bool) -> io::Result<()> {
        match self {
            Self::Generated(_) if by_code => {
                writeln!(out, "watch with: shell-client nalcast://{address} and the code")
            }
            Self::Open => {
                writeln!(out, "watch with: shell-client nalcast://{address}")?;
                writeln!(out, "anybody who can reach UDP port {} may watch, as --open asks for", address.port())
            }
            Self::Generated(key) if is_terminal => {
                let invitation = format!("nalcast://{address}#{}", format_key(key));
                writeln!(out, "watch with: shell-client '{invitation}'")?;
                write_qr_code(out, &invitation)
            }
            Self::Generated(_) => {
                writeln!(out, "watch with: shell-client nalcast://{address} and the key")?;
                writeln!(
                    out,
                    "the key was made for this run and is shown on a terminal only, so nobody can watch: \
                     give one with --key-file PATH, which --new-key makes, or let anybody in with --open"
                )
            }
            Self::File(_, path) => {
                writeln!(out, "watch with: shell-client nalcast://{address} --key-file {path}")?;
                if by_code { writeln!(out, "or with: shell-client nalcast://{address} and the code") } else { Ok(()) }
            }
        }
    }
}

/// Draws the address for telephones and other cameras. One that is too long for a code is not drawn.
fn write_qr_code(out: &mut impl Write, text: &str) -> io::Result<()> {
    let Ok(code) = qrcode::QrCode::new(text.as_bytes()) else { return Ok(()) };
    // The light modules are the ones that are drawn: most terminals are dark, and cameras want a light border.
    let picture = code
        .render::<qrcode::render::unicode::Dense1x2>()
        .dark_color(qrcode::render::unicode::Dense1x2::Light)
        .light_color(qrcode::render::unicode::Dense1x2::Dark)
        .build();
    writeln!(out, "{picture}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new([1; 32])
    }

    fn config(line: &str) -> Config {
        Config::parse_command_line(core::iter::once("shell-server").chain(line.split_whitespace())).unwrap()
    }

    fn printed(invitation: &Invitation, is_terminal: bool) -> String {
        printed_with(invitation, is_terminal, false)
    }

    fn printed_with(invitation: &Invitation, is_terminal: bool, by_code: bool) -> String {
        let mut out = Vec::new();
        invitation.print(&mut out, is_terminal, "192.0.2.1:4600".parse().unwrap(), by_code).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_key_that_was_made_is_shown_on_a_terminal_only() {
        let invitation = Invitation::of(&config(""), &mut secrets()).unwrap();
        let Invitation::Generated(key) = &invitation else { panic!("{invitation:?}") };
        let text = format_key(key);
        let shown = printed(&invitation, true);
        assert!(shown.starts_with(&format!("watch with: shell-client 'nalcast://192.0.2.1:4600#{text}'\n")), "{shown}");
        assert!(shown.contains('█'), "a code that cameras can read: {shown}");
        let hidden = printed(&invitation, false);
        assert!(!hidden.contains(&text) && hidden.contains("--key-file"), "{hidden}");
        assert!(!format!("{invitation:?}").contains(&text));
    }

    #[test]
    fn with_a_code_the_key_is_not_shown() {
        let invitation = Invitation::of(&config("--pairing-code"), &mut secrets()).unwrap();
        let Invitation::Generated(key) = &invitation else { panic!("{invitation:?}") };
        let shown = printed_with(&invitation, true, true);
        assert!(
            !shown.contains(&format_key(key)) && shown.ends_with("nalcast://192.0.2.1:4600 and the code\n"),
            "{shown}"
        );
        let file = Invitation::File(key.clone(), "PATH".to_owned());
        assert_eq!(printed_with(&file, true, true).lines().count(), 2);
    }

    #[test]
    fn a_key_file_is_made_read_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let line = format!("--key-file {}", path.display());
        assert!(Invitation::of(&config(&line), &mut secrets()).is_err(), "there is none yet");
        let mut secrets = secrets();
        let made = Invitation::of(&config(&format!("{line} --new-key")), &mut secrets).unwrap();
        let read = Invitation::of(&config(&line), &mut secrets).unwrap();
        let (Invitation::File(made, _), Invitation::File(key, _)) = (&made, &read) else { panic!("{made:?} {read:?}") };
        assert_eq!(made, key);
        for is_terminal in [true, false] {
            let text = printed(&read, is_terminal);
            assert!(text.contains(&line) && !text.contains(&format_key(key)), "{text}");
        }
        let other = Invitation::of(&config(&format!("{line} --new-key")), &mut secrets).unwrap();
        assert!(matches!(other, Invitation::File(other, _) if other != *key));
    }

    #[test]
    fn open_is_said_to_be_open() {
        let invitation = Invitation::of(&config("--open"), &mut secrets()).unwrap();
        assert!(matches!(invitation, Invitation::Open));
        assert!(printed(&invitation, true).contains("anybody who can reach UDP port 4600"));
    }
}
