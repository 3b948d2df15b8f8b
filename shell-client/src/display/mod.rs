//! The window: shows the newest picture, or says what is awaited.

mod geometry;
#[cfg(feature = "display")]
mod overlay;
#[cfg(feature = "display")]
mod scale;
#[cfg(feature = "display")]
mod text;
#[cfg(feature = "display")]
mod window;

pub use geometry::{Geometry, GeometryError};
#[cfg(feature = "display")]
pub use window::run_window;

/// How the window begins.
#[derive(Clone, Debug, Default)]
pub struct WindowOptions {
    /// Its size and place; otherwise it takes the size of the first picture, and the window manager places it.
    pub geometry: Option<Geometry>,
    /// What its title begins with.
    pub title: String,
}

/// Why the window is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowEnd {
    /// The user closed it, or pressed Escape or Q.
    ClosedByUser,
    /// The driver ended the presentation.
    Stopped,
}

/// Why there is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisplayError {
    /// The display refused.
    #[error(
        "cannot open a window ({0}); set DISPLAY to a running display, for example DISPLAY=:0, or use --headless to \
         receive without a window"
    )]
    Open(String),
    /// The display was there and then refused a picture.
    #[error("cannot draw into the window ({0}); use --headless to receive without a window")]
    Draw(String),
    /// This build has no window.
    #[error("this build has no window; use --headless, or build with the feature `display`")]
    NotBuilt,
}

/// Says that this build has no window.
///
/// # Errors
/// Always [`DisplayError::NotBuilt`].
#[cfg(not(feature = "display"))]
pub fn run_window(_handle: crate::present::PresentHandle, _options: WindowOptions) -> Result<WindowEnd, DisplayError> {
    Err(DisplayError::NotBuilt)
}
