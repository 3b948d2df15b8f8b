//! What the window says in place of a picture or over a dimmed one, and in its title.

use super::scale::Rectangle;
use super::text::{LINE_HEIGHT, width_of, wrapped, write};
use crate::decode::{PictureSize, Pixels};
use crate::headless::status_line;
use crate::present::ViewerStatus;

const GROUND: u32 = 0x0014_181E;
const PANEL: u32 = 0x0020_262F;
const ACCENT: u32 = 0x004C_9AFF;
const BRIGHT: u32 = 0x00F2_F4F8;
const FAINT: u32 = 0x0096_A0AF;

const PADDING: usize = 28;
const ACCENT_WIDTH: usize = 5;
const PANEL_WIDTH_MAX: usize = 680;
const HINT: &str = "Esc or Q closes this window.";

/// The title of the window.
pub(super) fn title(prefix: &str, status: &ViewerStatus) -> String {
    // minifb prints a complaint on standard output for a NUL byte.
    format!("{prefix} - {}", status_line(status)).replace('\0', "")
}

/// Fills the window before there is a picture.
pub(super) fn draw_waiting(canvas: &mut Pixels, status: &ViewerStatus) {
    canvas.words.fill(GROUND);
    draw_message(canvas, status, "Connecting");
}

/// Darkens what was last shown and says why nothing follows.
pub(super) fn draw_interrupted(canvas: &mut Pixels, status: &ViewerStatus) {
    for word in &mut canvas.words {
        // Three eighths: dark enough for the message to stand out, bright enough to read on.
        *word = (*word >> 2 & 0x003F_3F3F) + (*word >> 3 & 0x001F_1F1F);
    }
    draw_message(canvas, status, "Interrupted");
}

/// A panel in the middle: the state, and how to leave.
fn draw_message(canvas: &mut Pixels, status: &ViewerStatus, unnamed: &str) {
    let state = if status.state.is_empty() { unnamed } else { &status.state };
    let room = canvas.size.width.min(PANEL_WIDTH_MAX).saturating_sub(2 * PADDING);
    let state_lines = wrapped(state, room);
    let hint_lines = wrapped(HINT, room);
    let lines = state_lines.iter().map(|line| (line, BRIGHT)).chain(hint_lines.iter().map(|line| (line, FAINT)));
    let widest = lines.clone().map(|(line, _)| width_of(line)).max().unwrap_or_default();
    let height = (state_lines.len() + hint_lines.len()) * LINE_HEIGHT + LINE_HEIGHT / 2;
    let panel = centred(PictureSize { width: widest + 2 * PADDING, height: height + 2 * PADDING }, canvas.size);
    fill(canvas, panel, PANEL);
    fill(canvas, Rectangle { size: PictureSize { width: ACCENT_WIDTH, ..panel.size }, ..panel }, ACCENT);
    let mut top = panel.top + PADDING;
    for (place, (line, colour)) in lines.enumerate() {
        // The hint stands a little apart.
        top += if place == state_lines.len() { LINE_HEIGHT / 2 } else { 0 };
        write(canvas, (panel.left + PADDING, top), line, colour);
        top += LINE_HEIGHT;
    }
}

fn centred(size: PictureSize, within: PictureSize) -> Rectangle {
    let size = PictureSize { width: size.width.min(within.width), height: size.height.min(within.height) };
    Rectangle { left: (within.width - size.width) / 2, top: (within.height - size.height) / 2, size }
}

fn fill(canvas: &mut Pixels, area: Rectangle, colour: u32) {
    if canvas.words.is_empty() {
        return;
    }
    for line in canvas.words.chunks_exact_mut(canvas.size.width).skip(area.top).take(area.size.height) {
        line[area.left..].iter_mut().take(area.size.width).for_each(|word| *word = colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str) -> ViewerStatus {
        ViewerStatus { state: state.to_owned(), ..ViewerStatus::default() }
    }

    /// Whatever the window's size and the sentence's length, nothing is drawn outside and nothing fails.
    #[test]
    fn messages_fit_every_window() {
        for (width, height) in [(0, 0), (1, 1), (64, 64), (300, 20), (1280, 720)] {
            for state in ["", "Waiting.", &"a long sentence that goes on and on ".repeat(20), &"x".repeat(500)] {
                let mut canvas = Pixels::default();
                canvas.resize(PictureSize { width, height });
                draw_waiting(&mut canvas, &status(state));
                draw_interrupted(&mut canvas, &status(state));
                assert_eq!(canvas.words.len(), width * height);
            }
        }
    }

    #[test]
    fn the_message_is_written_in_the_middle_on_a_darkened_picture() {
        let mut canvas = Pixels::default();
        canvas.resize(PictureSize { width: 600, height: 400 });
        canvas.words.fill(0x00FF_FFFF);
        draw_interrupted(&mut canvas, &status("Connecting again"));
        assert_eq!(canvas.words.first(), Some(&0x005E_5E5E));
        let lit = |colour: u32| canvas.words.iter().filter(|&&word| word == colour).count();
        assert!(lit(BRIGHT) > 0 && lit(PANEL) > 5000 && lit(ACCENT) > 100);
    }

    #[test]
    fn a_title_never_holds_a_nul_byte() {
        assert_eq!(title("nalcast", &status("a\0b")), "nalcast - ab");
    }
}
