//! How the real programs do over impaired paths: the video, what is made of their logs, and what is expected.

#[cfg(feature = "cli")]
pub mod card;
#[cfg(feature = "cli")]
pub mod logs;
#[cfg(feature = "cli")]
pub mod peers;
#[cfg(feature = "cli")]
pub mod run;
#[cfg(feature = "cli")]
pub mod score;
pub mod stream;
