//! The scorecard's key figures, on a few short rows that stand for the rest.

use sim::scorecard::{Score, markdown, quick, run};

/// A row's figures, rounded to what a change should have a reason to move.
fn line(score: &Score) -> String {
    let figures = &score.figures;
    let latency = |millis: Option<f64>| millis.map_or_else(|| "never".to_owned(), |millis| format!("{millis:.0}"));
    let [p50, _, p99, max] = figures.latency_ms.map(latency);
    let distance = score
        .reference
        .as_ref()
        .map_or_else(String::new, |reference| format!(", {:.1} of the reference", reference.distance(figures)));
    format!(
        "{}: {:.1} % in time, {:.1} % usable, {p50}/{p99}/{max} ms, {:.1} s frozen, overhead {:.1} % ({:.1} parity, {:.1} \
         repair){distance}\n",
        score.name,
        figures.in_time_percent,
        figures.usable_percent,
        figures.freeze_seconds,
        figures.overhead_percent,
        figures.parity_percent,
        figures.repair_percent,
    )
}

#[test]
fn key_figures() {
    let scores = run(&quick(), 2, |_| ());
    insta::assert_snapshot!("key_figures", scores.iter().map(line).collect::<String>());
}

#[test]
fn a_table_does_not_depend_on_who_computes_it() {
    let rows: Vec<_> = quick().into_iter().map(|row| row.frames(200)).collect();
    let table = |threads| markdown(&run(&rows, threads, |_| ()));
    assert_eq!(table(1), table(3));
}

#[test]
fn a_path_without_faults_clears_every_bar() {
    let untouched = ["clean, RTT 50, B 300", "reordering +-15 ms", "duplication 20 %"];
    let rows: Vec<_> = quick().into_iter().filter(|row| untouched.contains(&row.name.as_str())).collect();
    let scores = run(&rows, 2, |_| ());
    assert_eq!(scores.len(), untouched.len());
    for score in &scores {
        assert!(!score.bars.is_empty() && score.passes(), "{}: {:?}", score.name, score.bars);
        assert_eq!(score.figures.usable_percent, 100.0, "{}", score.name);
    }
}
