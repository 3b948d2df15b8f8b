//! The transition tables as they are: a change of one is a change of its snapshot.

use core::fmt::Debug;

use nalcast_core::recv::{ClientInput, ClientState};
use nalcast_core::send::{ViewerInput, ViewerState};

/// A table with a row for each state and a column for each input; `-` where an input has no meaning.
fn table<S: Copy + Debug, I: Copy + Debug>(states: &[S], inputs: &[I], after: impl Fn(S, I) -> Option<S>) -> String {
    let name = |value: &dyn Debug| format!("{value:?}");
    let header: Vec<String> = [String::new()].into_iter().chain(inputs.iter().map(|input| name(input))).collect();
    let rows = states.iter().map(|state| {
        let cells = inputs.iter().map(|input| after(*state, *input).map_or_else(|| "-".into(), |next| name(&next)));
        [name(state)].into_iter().chain(cells).collect::<Vec<String>>()
    });
    let lines: Vec<Vec<String>> = [header].into_iter().chain(rows).collect();
    let width = lines.iter().flatten().map(String::len).max().unwrap_or_default();
    let line = |cells: &Vec<String>| cells.iter().map(|cell| format!("{cell:width$}")).collect::<Vec<_>>().join(" ");
    lines.iter().map(|cells| line(cells).trim_end().to_owned() + "\n").collect()
}

#[test]
fn a_subscription_at_the_server() {
    insta::assert_snapshot!("viewer", table(&ViewerState::ALL, &ViewerInput::ALL, ViewerState::after));
}

#[test]
fn a_viewer() {
    insta::assert_snapshot!("client", table(&ClientState::ALL, &ClientInput::ALL, ClientState::after));
}

/// Every state can be reached, and from every state the end can.
fn check_reachable<S: Copy + Ord + Debug, I: Copy>(
    states: &[S],
    inputs: &[I],
    (first, last): (S, S),
    after: impl Fn(S, I) -> Option<S>,
) {
    let reach = |from: S| {
        let mut reached = std::collections::BTreeSet::from([from]);
        loop {
            let next = reached.iter().flat_map(|state| inputs.iter().filter_map(|input| after(*state, *input)));
            let next: Vec<S> = next.filter(|state| !reached.contains(state)).collect();
            if next.is_empty() {
                return reached;
            }
            reached.extend(next);
        }
    };
    assert_eq!(reach(first).len(), states.len());
    for state in states {
        assert!(reach(*state).contains(&last), "{state:?} never ends");
    }
    assert!(inputs.iter().all(|input| after(last, *input).is_none()), "{last:?} is the end");
}

#[test]
fn every_state_is_reached_and_ends() {
    let ends = (ViewerState::HalfOpen, ViewerState::Gone);
    check_reachable(&ViewerState::ALL, &ViewerInput::ALL, ends, ViewerState::after);
    let ends = (ClientState::Connecting, ClientState::Ended);
    check_reachable(&ClientState::ALL, &ClientInput::ALL, ends, ClientState::after);
}
