//! The table as text.

use super::rows::Group;
use super::{Bar, Score, Verdict};

const CAPTION: &str = "\
One viewer, 30 frames a second of equally many full fragments (10 unless k says otherwise), a key frame at the start only \
and none on request (but in the live row). The path is as bad for reports as for pictures. B is what remains of the \
budget after the first possible arrival of a whole frame, in ms as RTT is.

*In time*: whole at the viewer within the budget. *Usable*: in time, and every reference back to the key frame there by \
the frame's deadline. *Latency*: capture to release in true time, over all frames; `never` where that frame was not \
released. *Freeze*: gaps between shown pictures of over 100 ms beyond a frame's length, summed. *Overhead*: all bytes to \
the viewer over those of the access units, headers and the tags of the seal included (25 B a datagram), IP and UDP \
headers (28 B) not. *Parity*, *repair*: their share of those bytes. *Distance*: frames missed and redundancy at a \
thousandth of its share, over the same sum of the reference: the dynamic programme for independent losses, the best fixed \
policy for bursts. A bar takes the sum at the least that chance leaves possible in 95 of 100 cases.
";

const HEAD: &str = "\
| path | frames | in time % | usable % | p50 ms | p95 | p99 | max | freeze s | overhead % | parity % | repair % | reports kbit/s | \
cost 1e-6 | reference 1e-6 | distance | bars |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
";

/// The scores as a Markdown document.
#[must_use]
pub fn markdown(scores: &[Score]) -> String {
    let mut out = format!("# Scorecard\n\n{CAPTION}");
    for group in [Group::Independent, Group::Bursts, Group::Presets, Group::Faults] {
        let scores: Vec<_> = scores.iter().filter(|score| score.group == group).collect();
        if !scores.is_empty() {
            out.push_str(&format!("\n## {group}\n\n{HEAD}"));
            scores.iter().for_each(|score| out.push_str(&line(score)));
        }
    }
    let passed = scores.iter().filter(|score| score.passes()).count();
    out.push_str(&format!("\n{passed} of {} rows clear their bars.\n", scores.len()));
    out
}

fn line(score: &Score) -> String {
    let figures = &score.figures;
    let mut cells = vec![
        score.name.clone(),
        figures.frames.to_string(),
        format!("{:.2}", figures.in_time_percent),
        format!("{:.2}", figures.usable_percent),
    ];
    let latency = |millis: Option<f64>| millis.map_or_else(|| "never".to_owned(), |millis| format!("{millis:.0}"));
    cells.extend(figures.latency_ms.map(latency));
    cells.push(format!("{:.1}", figures.freeze_seconds));
    cells.extend(
        [figures.overhead_percent, figures.parity_percent, figures.repair_percent].map(|of| format!("{of:.1}")),
    );
    cells.push(format!("{:.0}", figures.reports_kbps));
    cells.push(format!("{:.1}", figures.cost * 1e6));
    cells.extend(score.reference.as_ref().map_or_else(Default::default, |reference| {
        [format!("{:.1}", reference.cost * 1e6), format!("{:.2}", reference.distance(figures))]
    }));
    cells.push(score.bars.iter().map(bar).collect::<Vec<_>>().join(", "));
    format!("| {} |\n", cells.join(" | "))
}

fn bar(bar: &Bar) -> String {
    match bar.verdict {
        Verdict::Pass => format!("{} {}", bar.what, bar.verdict),
        Verdict::Fail => {
            format!("{} **{}** ({} over {})", bar.what, bar.verdict, short(bar.measured), short(bar.allowed))
        }
    }
}

/// Whole numbers as such, others with two digits.
fn short(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}
