//! The part of the screen that is shared.

use core::fmt;
use core::str::FromStr;

/// A rectangle of the screen in pixels; its text form is `WxH+X+Y`, or `WxH` for one at the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Distance of the left edge from the screen's, in pixels.
    pub x: i32,
    /// Distance of the upper edge from the screen's, in pixels.
    pub y: i32,
}

/// Why a region cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// The text is not `WxH+X+Y`.
    #[error("`{0}` is not a region: write WIDTHxHEIGHT+X+Y, for example 1280x720+0+0")]
    Syntax(String),
    /// Nothing, or too little, lies inside.
    #[error("the region {region} is too small: it must be at least {width}x{height} pixels")]
    TooSmall {
        /// What was asked for.
        region: Region,
        /// Least width in pixels.
        width: u32,
        /// Least height in pixels.
        height: u32,
    },
    /// The region lies beyond the screen, wholly or in part.
    #[error("the region {region} does not lie inside the screen, which is {width}x{height}: move or shrink it")]
    Outside {
        /// What was asked for.
        region: Region,
        /// Width of the screen in pixels.
        width: u32,
        /// Height of the screen in pixels.
        height: u32,
    },
}

/// Least width and height that the codec takes, in pixels.
pub const SIDE_PIXELS_MIN: u32 = 16;

impl Region {
    /// The whole of a screen.
    #[must_use]
    pub const fn whole(width: u32, height: u32) -> Self {
        Self { width, height, x: 0, y: 0 }
    }

    /// The region cut to even sides, as 4:2:0 chroma needs, once it is known to lie inside a screen of
    /// `width` x `height` pixels.
    ///
    /// # Errors
    ///
    /// When it is smaller than [`SIDE_PIXELS_MIN`] or reaches beyond the screen.
    pub fn fit(self, width: u32, height: u32) -> Result<Self, RegionError> {
        let even = self.even(SIDE_PIXELS_MIN, SIDE_PIXELS_MIN)?;
        let inside = |position: i32, length: u32, limit: u32| {
            let position = i64::from(position);
            position >= 0 && position + i64::from(length) <= i64::from(limit)
        };
        if inside(self.x, self.width, width) && inside(self.y, self.height, height) {
            Ok(even)
        } else {
            Err(RegionError::Outside { region: self, width, height })
        }
    }

    /// The region cut to even sides.
    ///
    /// # Errors
    ///
    /// When a side is shorter than the least one given, in pixels.
    pub fn even(self, width_min: u32, height_min: u32) -> Result<Self, RegionError> {
        if self.width < width_min || self.height < height_min {
            return Err(RegionError::TooSmall { region: self, width: width_min, height: height_min });
        }
        Ok(Self { width: self.width & !1, height: self.height & !1, ..self })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}{:+}{:+}", self.width, self.height, self.x, self.y)
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        parse(text).ok_or_else(|| RegionError::Syntax(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Region> {
    let sign = |c: char| c == '+' || c == '-';
    let (size, offset) = text.split_at(text.find(sign).unwrap_or(text.len()));
    let (width, height) = size.split_once('x')?;
    let (x, y) = match offset.get(1..) {
        None => ("0", "0"),
        Some(unsigned) => offset.split_at(unsigned.find(sign)? + 1),
    };
    Some(Region { width: width.parse().ok()?, height: height.parse().ok()?, x: x.parse().ok()?, y: y.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(u32, u32, i32, i32)>) {
        let expected = expected.map(|(width, height, x, y)| Region { width, height, x, y });
        assert_eq!(text.parse().ok(), expected, "{text:?}");
    }

    #[test]
    fn text_form() {
        check("1280x720+0+0", Some((1280, 720, 0, 0)));
        check("1280x720+10+20", Some((1280, 720, 10, 20)));
        check("640x480", Some((640, 480, 0, 0)));
        check("640x480-5+7", Some((640, 480, -5, 7)));
        for wrong in ["", "x", "1280", "1280x", "x720", "1280x720+1", "1280x720+1+", "1280x720+1+2+3", "1280X720"] {
            check(wrong, None);
        }
        for wrong in ["1280x720 +1+2", "-1280x720+0+0", "99999999999x1+0+0", "1280x720+99999999999+0", "1280x720++1+2"]
        {
            check(wrong, None);
        }
        assert_eq!(Region { width: 3, height: 4, x: -1, y: 2 }.to_string(), "3x4-1+2");
        assert!("huge".parse::<Region>().unwrap_err().to_string().contains("1280x720+0+0"));
    }

    #[test]
    fn fits_a_screen() {
        let fit = |text: &str| text.parse::<Region>().unwrap().fit(1920, 1080);
        let sides = |text: &str| fit(text).map(|region| (region.width, region.height)).ok();
        assert_eq!(sides("1920x1080+0+0"), Some((1920, 1080)));
        assert_eq!(sides("101x51+1819+1029"), Some((100, 50)), "odd sides lose one pixel");
        for outside in ["1921x1080+0+0", "100x100+1821+0", "100x100+0+981", "100x100-1+0", "16x16+2147483647+0"] {
            assert!(matches!(fit(outside), Err(RegionError::Outside { .. })), "{outside}");
        }
        for small in ["0x0+0+0", "15x100+0+0", "100x0+5+5"] {
            assert!(matches!(fit(small), Err(RegionError::TooSmall { .. })), "{small}");
        }
    }
}
