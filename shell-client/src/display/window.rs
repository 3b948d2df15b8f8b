//! The loop of the window, through minifb, which wants the main thread.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;
use std::time::Instant;

use minifb::{InputCallback, Key, ScaleMode, Window};

use super::overlay::{draw_interrupted, draw_waiting, title};
use super::scale::{Rectangle, Scaler, letterbox};
use super::{DisplayError, Geometry, WindowEnd, WindowOptions};
use crate::decode::{PictureSize, Pixels};
use crate::present::{Mail, Picture, PresentHandle, ViewerStatus};

/// Keys, closing and resizing are noticed within this; pictures wake the loop at once.
const EVENTS_INTERVAL: Duration = Duration::from_millis(8);
/// How often the title is renewed, and the picture too: minifb does not say when a part of the window was uncovered.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);
/// The window until the first picture says better.
const SIZE_AT_FIRST: PictureSize = PictureSize { width: 960, height: 540 };

/// Shows pictures until the user closes the window or the driver ends. To be called on the main thread.
///
/// # Errors
/// [`DisplayError`] when there is no display, or it fails.
pub fn run_window(handle: PresentHandle, options: WindowOptions) -> Result<WindowEnd, DisplayError> {
    let size = options.geometry.map_or(SIZE_AT_FIRST, |Geometry { width, height, .. }| PictureSize { width, height });
    let mut screen = Screen::open(options, size)?;
    screen.draw()?;
    loop {
        let Mail { picture, status, ended } = handle.wait(EVENTS_INTERVAL);
        if ended {
            return Ok(WindowEnd::Stopped);
        }
        screen.handle_status(status);
        if let Some(picture) = picture {
            screen.show(picture, &handle)?;
        } else {
            screen.refresh()?;
        }
        if screen.keys.pause.take() {
            handle.pause_toggled();
        }
        if screen.is_closed() {
            handle.window_closed();
            return Ok(WindowEnd::ClosedByUser);
        }
    }
}

struct Screen {
    window: Window,
    keys: Rc<Keys>,
    options: WindowOptions,
    status: ViewerStatus,
    picture: Option<Picture>,
    canvas: Pixels,
    /// Where the canvas holds a picture inside black borders; nothing while it holds anything else.
    framed: Option<Rectangle>,
    scaler: Scaler,
    drawn_size: PictureSize,
    refreshed: Instant,
    redraw: bool,
}

impl Screen {
    fn open(options: WindowOptions, size: PictureSize) -> Result<Self, DisplayError> {
        let status = ViewerStatus::default();
        let keys = Rc::default();
        Ok(Self {
            window: open_window(&options, &status, size, &keys)?,
            keys,
            options,
            status,
            picture: None,
            canvas: Pixels::default(),
            framed: None,
            scaler: Scaler::default(),
            drawn_size: size,
            refreshed: Instant::now(),
            redraw: true,
        })
    }

    fn handle_status(&mut self, status: Option<ViewerStatus>) {
        let Some(status) = status else { return };
        self.redraw |= status.playing != self.status.playing;
        self.redraw |= !status.playing && status.state != self.status.state;
        self.status = status;
    }

    fn show(&mut self, picture: Picture, handle: &PresentHandle) -> Result<(), DisplayError> {
        if self.picture.is_none() {
            self.take_size(picture.pixels.size)?;
        }
        if let Some(previous) = self.picture.replace(picture) {
            handle.recycle(previous);
        }
        self.draw()?;
        if let Some(picture) = &self.picture {
            // minifb has asked the server for the pointer after the pixels, so by now the server has drawn them.
            handle.shown(picture, Instant::now());
        }
        self.retitle_when_due();
        Ok(())
    }

    /// minifb cannot resize a window: unless the user chose a size, a new one takes the place of the waiting screen.
    fn take_size(&mut self, size: PictureSize) -> Result<(), DisplayError> {
        let chosen = self.options.geometry.is_some() || window_size(&self.window) != SIZE_AT_FIRST;
        if !chosen && size != SIZE_AT_FIRST {
            self.window = open_window(&self.options, &self.status, size, &self.keys)?;
        }
        Ok(())
    }

    /// Serves the window while no picture comes.
    fn refresh(&mut self) -> Result<(), DisplayError> {
        let due = self.retitle_when_due();
        if due || self.redraw || window_size(&self.window) != self.drawn_size {
            self.draw()
        } else {
            self.window.update();
            Ok(())
        }
    }

    fn retitle_when_due(&mut self) -> bool {
        let due = self.refreshed.elapsed() >= REFRESH_INTERVAL;
        if due {
            self.refreshed = Instant::now();
            self.window.set_title(&title(&self.options.title, &self.status));
        }
        due
    }

    fn draw(&mut self) -> Result<(), DisplayError> {
        let size = window_size(&self.window);
        self.redraw = false;
        self.drawn_size = size;
        let pixels = match &self.picture {
            // Pixel for pixel, the decoder's memory goes to the server as it is.
            Some(picture) if self.status.playing && picture.pixels.size == size => &picture.pixels,
            Some(picture) => {
                compose(&mut self.canvas, &mut self.framed, &mut self.scaler, &picture.pixels, size);
                if !self.status.playing {
                    draw_interrupted(&mut self.canvas, &self.status);
                    self.framed = None;
                }
                &self.canvas
            }
            None => {
                self.canvas.resize(size);
                draw_waiting(&mut self.canvas, &self.status);
                &self.canvas
            }
        };
        self.window
            .update_with_buffer(&pixels.words, pixels.size.width, pixels.size.height)
            .map_err(|error| DisplayError::Draw(error.to_string()))
    }

    fn is_closed(&self) -> bool {
        !self.window.is_open() || self.keys.quit.get()
    }
}

/// The keys that were pressed. minifb's key state would miss one that goes down and up between two of its updates.
#[derive(Default)]
struct Keys {
    quit: Cell<bool>,
    /// Whether to pause, or to go on, an odd number of times.
    pause: Cell<bool>,
}

struct KeyNotes(Rc<Keys>);

impl InputCallback for KeyNotes {
    fn add_char(&mut self, _character: u32) {}

    fn set_key_state(&mut self, key: Key, down: bool) {
        if !down {
            return;
        }
        if [Key::Escape, Key::Q].contains(&key) {
            self.0.quit.set(true);
        } else if [Key::Space, Key::P].contains(&key) {
            self.0.pause.set(!self.0.pause.get());
        }
    }
}

/// Draws a picture inside borders, which are blackened only when their place changed.
fn compose(
    canvas: &mut Pixels,
    framed: &mut Option<Rectangle>,
    scaler: &mut Scaler,
    picture: &Pixels,
    window: PictureSize,
) {
    let place = letterbox(picture.size, window);
    if *framed != Some(place) || canvas.size != window {
        canvas.resize(window);
        canvas.words.fill(0);
        *framed = Some(place);
    }
    scaler.draw(picture, canvas, place);
}

fn window_size(window: &Window) -> PictureSize {
    let (width, height) = window.get_size();
    PictureSize { width, height }
}

fn open_window(
    options: &WindowOptions,
    status: &ViewerStatus,
    size: PictureSize,
    keys: &Rc<Keys>,
) -> Result<Window, DisplayError> {
    // The buffer always has the window's size; in the moment after a resize its upper left part is shown.
    let style = minifb::WindowOptions { resize: true, scale_mode: ScaleMode::UpperLeft, ..Default::default() };
    let mut window = Window::new(&title(&options.title, status), size.width, size.height, style)
        .map_err(|error| DisplayError::Open(error.to_string()))?;
    window.set_target_fps(0);
    window.set_input_callback(Box::new(KeyNotes(Rc::clone(keys))));
    if let Some((x, y)) = options.geometry.and_then(|geometry| geometry.position) {
        window.set_position(x as isize, y as isize);
    }
    Ok(window)
}
