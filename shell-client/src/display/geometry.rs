//! Size and place of the window as X11 programs take it: `WIDTHxHEIGHT+X+Y`.

use core::str::FromStr;

/// Smaller, the messages cannot be read; larger, no display takes it.
const SIDE_MIN: usize = 64;
const SIDE_MAX: usize = 16_384;

/// Size and place of the window in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Width without the frame.
    pub width: usize,
    /// Height without the frame.
    pub height: usize,
    /// Distance from the left and the upper edge of the display, where it is not left to the window manager.
    pub position: Option<(i32, i32)>,
}

/// Why a text is no geometry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// It has another shape.
    #[error("`{0}` is no geometry: write WIDTHxHEIGHT or WIDTHxHEIGHT+X+Y in pixels, for example 1280x720+100+50")]
    Shape(String),
    /// It asks for a window that no display gives.
    #[error("a window of {width}x{height} is out of range: each side takes {SIDE_MIN} to {SIDE_MAX} pixels")]
    Size {
        /// The width asked for.
        width: usize,
        /// The height asked for.
        height: usize,
    },
}

impl FromStr for Geometry {
    type Err = GeometryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Self { width, height, position } = parse(text).ok_or_else(|| GeometryError::Shape(text.to_owned()))?;
        let range = SIDE_MIN..=SIDE_MAX;
        if range.contains(&width) && range.contains(&height) {
            Ok(Self { width, height, position })
        } else {
            Err(GeometryError::Size { width, height })
        }
    }
}

fn parse(text: &str) -> Option<Geometry> {
    let (size, place) = text.split_once('+').map_or((text, None), |(size, place)| (size, Some(place)));
    let (width, height) = size.split_once(['x', 'X'])?;
    let position = match place {
        Some(place) => {
            let (x, y) = place.split_once('+')?;
            Some((coordinate(x)?, coordinate(y)?))
        }
        None => None,
    };
    Some(Geometry { width: digits(width)?, height: digits(height)?, position })
}

/// A count without the sign that `parse` would take.
fn digits(text: &str) -> Option<usize> {
    text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A display to the left of or above the main one has negative coordinates.
fn coordinate(text: &str) -> Option<i32> {
    (!text.starts_with('+')).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_sizes_with_and_without_a_place() {
        let table = [
            ("1280x720", (1280, 720, None)),
            ("640X480", (640, 480, None)),
            ("64x16384", (64, 16_384, None)),
            ("1280x720+100+50", (1280, 720, Some((100, 50)))),
            ("1280x720+0+0", (1280, 720, Some((0, 0)))),
            ("1280x720+-1920+-5", (1280, 720, Some((-1920, -5)))),
        ];
        for (text, (width, height, position)) in table {
            assert_eq!(text.parse(), Ok(Geometry { width, height, position }), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else_and_says_how_to_write_it() {
        let shapes = [
            "",
            "1280",
            "1280x",
            "x720",
            "1280x720+",
            "1280x720+1",
            "1280x720+1+",
            "1280x720+1+2+3",
            "1280x720++1+2",
            "1280x720+1++2",
            "1280x720-1-2",
            "-1280x720",
            "+1280x720",
            "1280x+720",
            "1280x720 ",
            "12.5x7",
            "99999999999999999999999x5",
        ];
        for text in shapes {
            let error = text.parse::<Geometry>().unwrap_err();
            assert_eq!(error, GeometryError::Shape(text.to_owned()));
            assert!(error.to_string().contains("for example 1280x720+100+50"));
        }
        for (width, height) in [(63, 720), (720, 63), (16_385, 720), (0, 0)] {
            let parsed = format!("{width}x{height}").parse::<Geometry>();
            assert_eq!(parsed, Err(GeometryError::Size { width, height }));
        }
    }
}
