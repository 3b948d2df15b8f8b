//! The status page as HTML. It is whole without its script, which then keeps it up to date.

use core::fmt::{self, Display, Write as _};
use core::time::Duration;

use crate::status::{StatusSnapshot, ViewerStatus};

const PAGE: &str = include_str!("web/status.html");

/// The columns of the table of viewers; the script has the same.
const COLUMNS: usize = 9;

/// Renders the page; every text of the snapshot is escaped.
pub(super) fn render(status: &StatusSnapshot) -> String {
    let mut out = String::with_capacity(PAGE.len() * 2);
    let written = write_page(&mut out, status);
    debug_assert!(written.is_ok(), "a String takes everything");
    out
}

/// Copies the page and puts the fields in the places that it names in double braces.
fn write_page(out: &mut String, status: &StatusSnapshot) -> fmt::Result {
    let mut rest = PAGE;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, place)| Some((before, place.split_once("}}")?)))
    {
        out.push_str(before);
        match name {
            "rows" => write_rows(out, &status.viewers)?,
            "notice" if status.is_open => out.push_str(NOTICE_OPEN),
            "notice" => {}
            _ => write!(out, "{}", Escaped(&field(name, status)))?,
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

fn field(name: &str, status: &StatusSnapshot) -> String {
    let totals = &status.totals;
    match name {
        "source" => status.source.clone(),
        "fps" => fps(Some(status.frames_per_second)),
        "captured" => match status.captured_per_second {
            Some(rate) => format!("captured {}", fps(Some(rate))),
            None => "from a file".to_owned(),
        },
        "sent" => bits(status.viewers.iter().map(|viewer| viewer.sent_bits_per_second).sum()),
        "encoded" => format!("encoded {}", bits(status.bits_per_second)),
        "loss" => percent(status.viewers.iter().filter_map(|viewer| viewer.loss).reduce(f64::max)),
        "viewers" => format!("Viewers ({})", status.viewers.len()),
        "codec" => status.codec.clone(),
        "resolution" if status.width == 0 => UNKNOWN.to_owned(),
        "resolution" => format!("{} × {}", status.width, status.height),
        "uptime" => clock(status.uptime),
        "frames" => format!("{} ({} refused)", totals.frames, totals.frames_refused),
        "key_frames" => format!("{} ({} asked for)", totals.key_frames, totals.key_frames_wanted),
        "replaced" => format!("{} of {} captured", totals.pictures_replaced, totals.pictures_captured),
        "total_sent" => format!("{} in {} datagrams", bytes(totals.bytes_sent), totals.datagrams_sent),
        "total_received" => format!("{} in {} datagrams", bytes(totals.bytes_received), totals.datagrams_received),
        "refused" => {
            let by = &totals.datagrams_refused;
            format!(
                "{} malformed, {} of no session, {} forged, {} repeated",
                by.malformed, by.unknown_session, by.forged, by.replayed
            )
        }
        "joined" => totals.viewers_joined.to_string(),
        "left" => {
            let by = &totals.viewers_left;
            format!(
                "{} by themselves, {} silent, {} replaced, {} closed",
                by.said_so, by.silent, by.replaced, by.closed
            )
        }
        "turned_away" => {
            format!("{} for want of room, {} without the key", totals.viewers_refused, totals.handshakes_refused)
        }
        _ => {
            debug_assert!(false, "the page names a field that is not there: {name}");
            String::new()
        }
    }
}

fn write_rows(out: &mut String, viewers: &[ViewerStatus]) -> fmt::Result {
    if viewers.is_empty() {
        let cell = format_args!("<td role=\"cell\" class=\"nobody\" colspan=\"{COLUMNS}\">Nobody is watching.</td>");
        return writeln!(out, "<tr role=\"row\">{cell}</tr>");
    }
    for viewer in viewers {
        write!(out, "<tr role=\"row\" data-viewer=\"{}\">", viewer.id)?;
        for (label, text) in cells(viewer) {
            let class = if label == "State" { format!(" class=\"{}\"", viewer.state) } else { String::new() };
            write!(out, "<td role=\"cell\" data-label=\"{label}\"{class}>{}</td>", Escaped(&text))?;
        }
        out.push_str("</tr>\n");
    }
    Ok(())
}

fn cells(viewer: &ViewerStatus) -> [(&'static str, String); COLUMNS] {
    [
        ("Viewer", viewer.address.to_string()),
        ("State", viewer.state.to_owned()),
        ("Round trip", milliseconds(viewer.round_trip)),
        ("Capture to report", milliseconds(viewer.capture_to_report)),
        ("Loss", percent(viewer.loss)),
        ("Sent", bits(viewer.sent_bits_per_second)),
        ("Decoded", fps(viewer.decoded_frames_per_second)),
        ("Dropped", viewer.frames_dropped.to_string()),
        ("Waiting", bytes(viewer.queue_bytes)),
    ]
}

/// What stands on the page of a server that lets anybody in.
const NOTICE_OPEN: &str = "<p class=\"warning\"><strong>Open.</strong> Anybody who can reach this server may watch, as --open asks for.</p>\n";

const UNKNOWN: &str = "–";

fn or_unknown(text: Option<impl Display>) -> String {
    text.map_or_else(|| UNKNOWN.to_owned(), |text| text.to_string())
}

fn fps(rate: Option<f64>) -> String {
    or_unknown(rate.map(|rate| format!("{rate:.1} fps")))
}

fn milliseconds(time: Option<Duration>) -> String {
    or_unknown(time.map(|time| format!("{:.1} ms", time.as_secs_f64() * 1000.0)))
}

fn percent(ratio: Option<f64>) -> String {
    or_unknown(ratio.map(|ratio| format!("{:.2} %", ratio * 100.0)))
}

fn bits(rate: u64) -> String {
    scaled(rate, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s"])
}

fn bytes(count: u64) -> String {
    scaled(count, &["B", "kB", "MB", "GB", "TB"])
}

fn scaled(value: u64, units: &[&str]) -> String {
    let mut value = value as f64;
    let mut units = units.iter().copied().peekable();
    let mut decimals = 0;
    loop {
        let unit = units.next().unwrap_or_default();
        if value < 1000.0 || units.peek().is_none() {
            return format!("{value:.decimals$} {unit}");
        }
        value /= 1000.0;
        decimals = 1;
    }
}

fn clock(uptime: Duration) -> String {
    let seconds = uptime.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Text made safe for element content and quoted attributes (HTML Standard §13.3).
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::assets;
    use crate::http::samples::two_viewers;

    const STYLE: &str = assets::STYLE.text;
    const SCRIPT: &str = assets::SCRIPT.text;

    #[test]
    fn nothing_escapes_into_markup() {
        let page = render(&two_viewers());
        assert!(page.contains(">&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;<"));
        assert_eq!(page.matches("<script").count(), 1, "the page's own");
        let braces = StatusSnapshot { source: "{{rows}}".into(), ..StatusSnapshot::default() };
        assert!(render(&braces).contains(">{{rows}}<"), "what a field says is not read as the page");
    }

    #[test]
    fn everything_is_shown() {
        let page = render(&two_viewers());
        for text in [
            "1920 × 1080",
            ">59.9 fps<",
            ">8.1 Mbit/s<",
            "encoded 8.0 Mbit/s",
            "1:02:05",
            "Viewers (2)",
            ">192.0.2.7:5000<",
            "data-label=\"State\" class=\"watching\">watching<",
            ">12.3 ms<",
            ">31.5 ms<",
            ">1.25 %<",
            ">1.2 kB<",
            ">[2001:db8::1]:9<",
            "data-label=\"Loss\">–<",
            "5.1 MB in 4300 datagrams",
            "6 malformed, 8 of no session, 11 forged, 14 repeated",
            "5 by themselves, 3 silent, 2 replaced, 1 closed",
            "13 for want of room, 17 without the key",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("{{"), "{page}");
        assert!(render(&StatusSnapshot::default()).contains("Nobody is watching."));
        assert!(!page.contains("Anybody"));
        let open = StatusSnapshot { is_open: true, ..StatusSnapshot::default() };
        assert!(render(&open).contains("Anybody who can reach this server may watch"));
    }

    #[test]
    fn figures_are_scaled() {
        for (value, expected) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_250_000, "1.2 MB"), (u64::MAX, "18446744.1 TB")]
        {
            assert_eq!(bytes(value), expected);
        }
    }

    /// The script draws the table and names the fields as the page does.
    #[test]
    fn the_script_knows_what_the_page_knows() {
        let viewer = two_viewers().viewers.remove(0);
        let at = cells(&viewer).map(|(label, _)| SCRIPT.find(&format!("[\"{label}\", (viewer)")));
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}");
        let heads = cells(&viewer).map(|(label, _)| PAGE.find(&format!("scope=\"col\">{label}</th>")));
        assert!(heads.iter().all(Option::is_some) && heads.is_sorted(), "{heads:?}");
        assert_eq!(PAGE.matches("scope=\"col\"").count(), COLUMNS);
        for place in PAGE.split("data-field=\"").skip(1) {
            let name = place.split('"').next().unwrap();
            assert!(SCRIPT.contains(&format!("\n  {name}: (")), "{name}");
            assert!(place.contains(&format!("{{{{{name}}}}}")), "{name}");
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_nothing_is_inline() {
        for text in [PAGE, STYLE, SCRIPT] {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for reference in ["http:", "https:", "src=\"//", "href=\"//", "url(", "@import", "style=", "innerHTML"] {
                assert!(!text.contains(reference), "{reference}");
            }
        }
        // What the policy forbids: inline styles, scripts and handlers.
        assert!(!PAGE.contains("<style") && !PAGE.contains("<script>"));
        let is_handler = |attribute: &str| attribute.starts_with("on") && attribute.contains('=');
        assert!(!PAGE.split_ascii_whitespace().any(is_handler));
    }
}
