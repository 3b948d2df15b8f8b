//! The status page as HTML.

use core::fmt::{self, Write as _};
use core::time::Duration;

use crate::status::{StatusSnapshot, ViewerStatus};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="2">
<title>nalcast</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --warn: #9a6700 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #8d96a0; --line: #30363d; --paper: #0d1117; --warn: #d29922 }
}
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper) }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem }
dt, th { color: var(--soft); font-weight: normal } dd { margin: 0; overflow-wrap: anywhere }
.table { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left }
.number { text-align: right } .warning { color: var(--warn) }
</style>
</head>
<body>
<h1>nalcast</h1>
<p class="warning">Traffic is not yet encrypted: anybody on the path can watch.</p>
"#;

const TABLE_HEAD: &str = r#"<div class="table"><table>
<thead><tr><th scope="col">Address</th><th scope="col">State</th><th scope="col" class="number">RTT</th><th scope="col" class="number">Loss</th><th scope="col" class="number">Sent</th></tr></thead>
<tbody>
"#;

/// Renders the page; every text of the snapshot is escaped.
pub(super) fn render(status: &StatusSnapshot) -> String {
    let mut out = String::with_capacity(4096);
    let written = write_page(&mut out, status);
    debug_assert!(written.is_ok(), "a String takes everything");
    out
}

fn write_page(out: &mut String, status: &StatusSnapshot) -> fmt::Result {
    out.push_str(HEAD);
    out.push_str("<dl>\n");
    writeln!(out, "<dt>Source</dt><dd>{}</dd>", Escaped(&status.source))?;
    writeln!(out, "<dt>Resolution</dt><dd>{} × {}</dd>", status.width, status.height)?;
    writeln!(out, "<dt>Frame rate</dt><dd>{:.1} fps</dd>", status.frames_per_second)?;
    writeln!(out, "<dt>Uptime</dt><dd>{}</dd>", Uptime(status.uptime))?;
    writeln!(out, "</dl>\n<h2>Viewers ({})</h2>", status.viewers.len())?;
    if status.viewers.is_empty() {
        out.push_str("<p>Nobody is watching.</p>\n");
    } else {
        out.push_str(TABLE_HEAD);
        for viewer in &status.viewers {
            write_viewer(out, viewer)?;
        }
        out.push_str("</tbody>\n</table></div>\n");
    }
    out.push_str("</body>\n</html>\n");
    Ok(())
}

fn write_viewer(out: &mut String, viewer: &ViewerStatus) -> fmt::Result {
    write!(out, "<tr><td>{}</td><td>{}</td><td class=\"number\">", viewer.address, viewer.state)?;
    match viewer.round_trip {
        Some(round_trip) => write!(out, "{:.1} ms", round_trip.as_secs_f64() * 1000.0)?,
        None => out.push('–'),
    }
    writeln!(
        out,
        "</td><td class=\"number\">{:.2} %</td><td class=\"number\">{} kbit/s</td></tr>",
        viewer.loss.unwrap_or_default() * 100.0,
        viewer.sent_bits_per_second / 1000
    )
}

/// Text made safe for element content and quoted attributes (HTML Standard §13.3).
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
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

struct Uptime(Duration);

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::samples::two_viewers;

    #[test]
    fn nothing_escapes_into_markup() {
        let page = render(&two_viewers());
        assert!(page.contains("<dd>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;</dd>"));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn everything_is_shown() {
        let page = render(&two_viewers());
        for text in [
            "1920 × 1080",
            "59.9 fps",
            "1:02:05",
            "Viewers (2)",
            "192.0.2.7:5000",
            "12.3 ms",
            "1.25 %",
            "8123 kbit/s",
            "[2001:db8::1]:9",
            "<td class=\"number\">–</td>",
            "not yet encrypted",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(render(&StatusSnapshot::default()).contains("Nobody is watching."));
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let page = render(&two_viewers());
        for reference in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(reference), "{reference}");
        }
    }
}
