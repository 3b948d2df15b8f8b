//! A piece of a run as a picture: each frame's latency and outcome, and what was sent of it beyond its data.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use super::Score;
use super::rows::{FPS, Row};
use super::tally::Tally;

/// Frames that are drawn: ten seconds.
const FRAMES: usize = 300;
const WIDTH: u32 = 1_120;
const HEIGHT: u32 = 460;
/// Where the frames are drawn, in pixels: from left to right, then latencies and rows from top to bottom.
const LEFT: i32 = 84;
const FRAME_WIDTH: i32 = 3;
const RIGHT: i32 = LEFT + FRAME_WIDTH * FRAMES as i32;
const LATENCY: (i32, i32) = (100, 310);
const ROWS: (i32, i32) = (352, 404);
/// How far below the axis that stands which has no latency.
const NEVER_BELOW: i32 = 14;
/// A latency of more budgets than this is drawn at the edge.
const BUDGETS_MAX: f64 = 2.0;

// Colours that can be told apart with any colour vision (Okabe and Ito); shapes differ as well.
const SHOWN: RGBColor = RGBColor(0, 114, 178);
const LATE: RGBColor = RGBColor(213, 94, 0);
const NEVER: RGBColor = RGBColor(170, 51, 119);
const PARITY: RGBColor = RGBColor(86, 180, 233);
const REPAIR: RGBColor = RGBColor(0, 121, 90);
const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(89, 99, 110);
const GRID: RGBColor = RGBColor(228, 232, 236);
const BAND: RGBColor = RGBColor(244, 240, 230);

/// One frame of the piece.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// Capture to release, milliseconds, if it was released.
    pub latency_ms: Option<f64>,
    /// Whether that was within the budget.
    pub shown: bool,
    /// Parity rows that nobody asked for.
    pub parity: u32,
    /// Repair rows.
    pub repair: u32,
    /// Whether something was done to the path as a whole when it was captured.
    pub disturbed: bool,
}

/// The first frames that count, or those around what happens to the path.
pub(super) fn moments(row: &Row, tally: &Tally) -> Vec<Moment> {
    let disturbed = |at: nalcast_core::Timestamp| {
        let since = at - tally.began();
        let begun = row.changes.first().is_some_and(|(at, _)| since >= *at);
        let over = row.changes.len() > 1 && row.changes.last().is_some_and(|(at, _)| since >= *at);
        begun && !over
    };
    let moment = |frame: &super::tally::Frame| Moment {
        latency_ms: frame.released.map(|at| (at - frame.captured).as_secs_f64() * 1e3),
        shown: tally.is_usable(frame),
        parity: frame.parity,
        repair: frame.repair,
        disturbed: disturbed(frame.captured),
    };
    tally.frames().iter().take(FRAMES).map(moment).collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The picture as an SVG document.
///
/// # Errors
/// What the drawing library says; into a string there is no reason why it should.
pub fn draw(score: &Score) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let picture = Picture { root: &root, score, top_ms: top(score) };
        picture.headline()?;
        picture.disturbance()?;
        picture.latencies()?;
        picture.rows()?;
        picture.frames_axis()?;
        root.present()?;
    }
    Ok(svg)
}

/// The latency at the upper edge: enough for the frames that matter, so that the others can be told apart.
fn top(score: &Score) -> f64 {
    let budget = score.floor_ms + score.spare_ms;
    let latencies = score.timeline.iter().filter_map(|moment| moment.latency_ms);
    latencies.fold(budget * 1.15, f64::max).min(budget * BUDGETS_MAX)
}

struct Picture<'a, 'b> {
    root: &'a Area<'b>,
    score: &'a Score,
    top_ms: f64,
}

impl Picture<'_, '_> {
    fn text(&self, text: &str, at: (i32, i32), size: i32, color: RGBColor, h: HPos) -> Drawn {
        let style = ("sans-serif", size).into_font().color(&color).pos(Pos::new(h, VPos::Center));
        self.root.draw(&Text::new(text.to_owned(), at, style))
    }

    fn bold(&self, text: &str, at: (i32, i32), size: i32, color: RGBColor) -> Drawn {
        let font = ("sans-serif", size, FontStyle::Bold).into_font();
        self.root.draw(&Text::new(text.to_owned(), at, font.color(&color).pos(Pos::new(HPos::Left, VPos::Center))))
    }

    fn line(&self, from: (i32, i32), to: (i32, i32), color: RGBColor, width: u32) -> Drawn {
        self.root.draw(&PathElement::new(vec![from, to], color.stroke_width(width)))
    }

    fn area(&self, from: (i32, i32), to: (i32, i32), color: RGBColor) -> Drawn {
        self.root.draw(&Rectangle::new([from, to], color.filled()))
    }

    fn x(&self, frame: usize) -> i32 {
        LEFT + FRAME_WIDTH * frame as i32
    }

    fn y(&self, millis: f64) -> i32 {
        let (top, bottom) = LATENCY;
        bottom - (millis / self.top_ms * f64::from(bottom - top)).round() as i32
    }

    fn headline(&self) -> Drawn {
        let Score { name, path, figures, .. } = self.score;
        self.bold(name, (LEFT, 24), 18, INK)?;
        let latency = |at: usize| figures.latency_ms[at].map_or_else(|| "never".to_owned(), |ms| format!("{ms:.0} ms"));
        let summary = format!(
            "{:.2} % in time, {:.2} % usable; median {}, p99 {}; overhead {:.1} %; {} frames",
            figures.in_time_percent,
            figures.usable_percent,
            latency(0),
            latency(2),
            figures.overhead_percent,
            figures.frames,
        );
        self.text(&summary, (LEFT, 46), 13, INK, HPos::Left)?;
        self.text(&format!("path: {path}"), (LEFT, 65), 12, FAINT, HPos::Left)?;
        let mut x = RIGHT - 350;
        for (outcome, width) in [(Outcome::Shown, 124), (Outcome::Late, 118), (Outcome::Never, 0)] {
            self.mark(outcome, (x + 4, 24))?;
            self.text(outcome.name(), (x + 14, 24), 13, outcome.color(), HPos::Left)?;
            x += width;
        }
        Ok(())
    }

    fn mark(&self, outcome: Outcome, at: (i32, i32)) -> Drawn {
        let color = outcome.color();
        match outcome {
            Outcome::Shown => self.root.draw(&Circle::new(at, 2, color.filled())),
            Outcome::Late => self.root.draw(&TriangleMarker::new(at, 4, color.filled())),
            Outcome::Never => self.area((at.0 - 1, at.1 - 5), (at.0 + 1, at.1 + 5), color),
        }
    }

    /// Where something was done to the path as a whole.
    fn disturbance(&self) -> Drawn {
        let moments = &self.score.timeline;
        let Some(from) = moments.iter().position(|moment| moment.disturbed) else { return Ok(()) };
        let to = moments.iter().rposition(|moment| moment.disturbed).unwrap_or(from) + 1;
        self.area((self.x(from), LATENCY.0), (self.x(to), ROWS.1), BAND)?;
        let note = self.score.path.rsplit("; ").next().unwrap_or_default();
        self.text(note, (self.x(from), LATENCY.0 - 10), 12, FAINT, HPos::Left)
    }

    fn latencies(&self) -> Drawn {
        let (top, bottom) = LATENCY;
        let step = step(self.top_ms / 5.0);
        let mut millis = 0.0;
        while millis <= self.top_ms {
            let y = self.y(millis);
            self.line((LEFT, y), (RIGHT, y), if millis == 0.0 { FAINT } else { GRID }, 1)?;
            self.text(&format!("{millis:.0}"), (LEFT - 8, y), 12, FAINT, HPos::Right)?;
            millis += step;
        }
        self.text("latency, ms", (LEFT - 8, top - 14), 12, FAINT, HPos::Right)?;
        let Score { floor_ms, spare_ms, .. } = self.score;
        for (millis, text) in [(floor_ms + spare_ms, "deadline"), (*floor_ms, "first possible")] {
            let y = self.y(millis);
            (LEFT..RIGHT).step_by(9).try_for_each(|x| self.line((x, y), (x + 5, y), FAINT, 1))?;
            self.text(&format!("{text}, {millis:.0} ms"), (RIGHT + 8, y), 12, INK, HPos::Left)?;
        }
        self.text("never", (LEFT - 8, bottom + NEVER_BELOW), 12, FAINT, HPos::Right)?;
        let mut clipped = 0;
        for (i, moment) in self.score.timeline.iter().enumerate() {
            let outcome = Outcome::of(moment);
            let millis = moment.latency_ms.unwrap_or(0.0);
            clipped += u32::from(millis > self.top_ms);
            // What never came has no latency: it stands below the axis.
            let y = if outcome == Outcome::Never { bottom + NEVER_BELOW } else { self.y(millis.min(self.top_ms)) };
            self.mark(outcome, (self.x(i) + FRAME_WIDTH / 2, y))?;
        }
        if clipped > 0 {
            self.text(&format!("{clipped} later than this"), (RIGHT + 8, top), 12, LATE, HPos::Left)?;
        }
        Ok(())
    }

    fn rows(&self) -> Drawn {
        let (top, bottom) = ROWS;
        let most = self.score.timeline.iter().map(|moment| moment.parity + moment.repair).max().unwrap_or(0).max(4);
        let height = |rows: u32| (f64::from(rows) / f64::from(most) * f64::from(bottom - top)).round() as i32;
        for (i, moment) in self.score.timeline.iter().enumerate() {
            let (x, parity) = (self.x(i), height(moment.parity));
            let both = height(moment.parity + moment.repair);
            if parity > 0 {
                self.area((x, bottom - parity), (x + FRAME_WIDTH - 1, bottom), PARITY)?;
            }
            if both > parity {
                self.area((x, bottom - both), (x + FRAME_WIDTH - 1, bottom - parity), REPAIR)?;
            }
        }
        self.line((LEFT, bottom), (RIGHT, bottom), FAINT, 1)?;
        self.text(&most.to_string(), (LEFT - 8, top), 12, FAINT, HPos::Right)?;
        self.text("0", (LEFT - 8, bottom), 12, FAINT, HPos::Right)?;
        self.text("more rows:", (RIGHT + 8, top + 4), 12, FAINT, HPos::Left)?;
        self.text("repair", (RIGHT + 8, top + 21), 12, REPAIR, HPos::Left)?;
        self.text("sent ahead", (RIGHT + 8, top + 38), 12, RGBColor(30, 120, 170), HPos::Left)
    }

    fn frames_axis(&self) -> Drawn {
        let (_, bottom) = ROWS;
        for frame in (0..=FRAMES).step_by(FPS as usize) {
            self.line((self.x(frame), bottom), (self.x(frame), bottom + 4), FAINT, 1)?;
            self.text(&frame.to_string(), (self.x(frame), bottom + 14), 12, FAINT, HPos::Center)?;
        }
        self.text(&format!("frame, {FPS} a second"), ((LEFT + RIGHT) / 2, bottom + 36), 12, FAINT, HPos::Center)
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Shown,
    Late,
    Never,
}

impl Outcome {
    const fn of(moment: &Moment) -> Self {
        match (moment.latency_ms, moment.shown) {
            (None, _) => Self::Never,
            (Some(_), true) => Self::Shown,
            (Some(_), false) => Self::Late,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown in time",
            Self::Late => "released late",
            Self::Never => "never released",
        }
    }

    const fn color(self) -> RGBColor {
        match self {
            Self::Shown => SHOWN,
            Self::Late => LATE,
            Self::Never => NEVER,
        }
    }
}

/// The nearest of 1, 2 and 5 times a power of ten that is not less.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-3).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}
