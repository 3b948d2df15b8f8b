//! What a path does, as it is written on a command line, and the named paths that results are compared on.

use core::fmt;
use core::ops::Range;
use core::str::FromStr;
use core::time::Duration;

use crate::link::{LinkConfig, LossModel, PPM};

/// The named paths: name, what each direction does, and what to call it in a table.
///
/// A datagram is at most what an Ethernet frame leaves behind IPv4 and UDP headers, but for `clean-1200`.
pub const PROFILES: [Profile; 8] = [
    Profile::new("clean", "delay=10ms,mtu=1472", "nothing, 10 ms"),
    Profile::new("clean-1200", "delay=10ms,mtu=1200", "nothing, 10 ms, datagrams of 1200 B at most"),
    Profile::new("reorder", "delay=10ms,jitter=30ms,reorder,mtu=1472", "each datagram 10 to 40 ms, in any order"),
    Profile::new("P1", "loss=1%,delay=10ms,mtu=1472", "1 % lost, 10 ms"),
    Profile::new("P2", "loss=5%,delay=25ms,mtu=1472", "5 % lost, 25 ms"),
    Profile::new("P3", "loss=5%,burst=5,delay=25ms,mtu=1472", "5 % lost in bursts of 5, 25 ms"),
    Profile::new("P4", "loss=10%,delay=50ms,mtu=1472", "10 % lost, 50 ms"),
    Profile::new("P6", "loss=20%,delay=20ms,mtu=1472", "20 % lost, 20 ms"),
];

/// A path with a name. Both directions are impaired alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What each direction does, as [`PathSpec`] is written.
    pub spec: &'static str,
    /// The same for people.
    pub says: &'static str,
}

impl Profile {
    const fn new(name: &'static str, spec: &'static str, says: &'static str) -> Self {
        Self { name, spec, says }
    }

    /// The profile of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }
}

/// One direction of a path, and when it carries nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathSpec {
    /// What the link does.
    pub link: LinkConfig,
    /// When everything that is sent is lost, counted from the start.
    pub blackouts: Vec<Range<Duration>>,
}

/// What of a path's description cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    item: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is nothing that a path does; write items such as loss=5%, burst=5 (mean run of lost datagrams), \
             delay=25ms, jitter=30ms, reorder, hold=1%:5ms:20ms, dup=1%:2ms, rate=10M, queue=64k, mtu=1472, \
             corrupt=0.1%, truncate=0.1% and blackout=2s:2.5s, with commas between them",
            self.item
        )
    }
}

impl core::error::Error for SpecError {}

impl FromStr for PathSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        let (mut loss_ppm, mut burst) = (0, None);
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').unwrap_or((item, ""));
            let taken = match key {
                "loss" => ppm(value).map(|ppm| loss_ppm = ppm),
                "burst" => value.parse().ok().filter(|mean| *mean > 0).map(|mean: u32| burst = Some(mean)),
                _ => spec.take(key, value),
            };
            taken.ok_or_else(|| SpecError { item: item.to_owned() })?;
        }
        spec.link.loss = loss_model(loss_ppm, burst).ok_or_else(|| SpecError { item: text.to_owned() })?;
        Ok(spec)
    }
}

impl PathSpec {
    /// Whether the direction carries anything, `since` after the start.
    #[must_use]
    pub fn is_dark(&self, since: Duration) -> bool {
        self.blackouts.iter().any(|blackout| blackout.contains(&since))
    }

    /// Takes any item but the loss.
    fn take(&mut self, key: &str, value: &str) -> Option<()> {
        let link = &mut self.link;
        match key {
            "delay" => link.delay = duration(value)?,
            "jitter" => link.jitter = duration(value)?,
            "reorder" => link.jitter_reorders = value.is_empty().then_some(true)?,
            "hold" => {
                let (share, times) = value.split_once(':')?;
                let (min, max) = times.split_once(':')?;
                link.hold_back_ppm = ppm(share)?;
                (link.hold_back_min, link.hold_back_max) = (duration(min)?, duration(max)?);
            }
            "dup" => {
                let (share, spread) = value.split_once(':').unwrap_or((value, "0ms"));
                (link.duplicate_ppm, link.duplicate_spread) = (ppm(share)?, duration(spread)?);
            }
            "rate" => link.rate_bps = scaled(value)?,
            "queue" => link.queue_bytes = usize::try_from(scaled(value)?).ok()?,
            "mtu" => link.mtu_bytes = value.parse().ok()?,
            "corrupt" => link.corrupt_ppm = ppm(value)?,
            "truncate" => link.truncate_ppm = ppm(value)?,
            "blackout" => {
                let (from, to) = value.split_once(':')?;
                self.blackouts.push(duration(from)?..duration(to)?);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Gilbert's model of this loss in all, with runs of lost datagrams of this mean length; without bursts each datagram
/// by its own chance.
fn loss_model(loss_ppm: u32, burst: Option<u32>) -> Option<LossModel> {
    let Some(burst) = burst else {
        return Some(if loss_ppm == 0 { LossModel::None } else { LossModel::Independent { ppm: loss_ppm } });
    };
    let bad_to_good_ppm = PPM / burst;
    // In the long run as many datagrams turn the state bad as turn it good again.
    let good_to_bad = u64::from(bad_to_good_ppm) * u64::from(loss_ppm) / u64::from(PPM - loss_ppm).max(1);
    let good_to_bad_ppm = u32::try_from(good_to_bad).ok().filter(|ppm| loss_ppm > 0 && *ppm <= PPM)?;
    Some(LossModel::BurstByPacket { good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm: 0, loss_bad_ppm: PPM })
}

/// A percentage in parts per million.
fn ppm(text: &str) -> Option<u32> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then(|| (percent * f64::from(PPM) / 100.0).round() as u32)
}

/// `2s`, `25ms` or `200us`.
fn duration(text: &str) -> Option<Duration> {
    let (number, per_second) = [("ms", 1e3), ("us", 1e6), ("s", 1.0)]
        .iter()
        .find_map(|(unit, per_second)| Some((text.strip_suffix(unit)?, per_second)))?;
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number / per_second).ok()
}

/// A whole number, perhaps with `k` or `M`.
fn scaled(text: &str) -> Option<u64> {
    let (number, scale) = match (text.strip_suffix('k'), text.strip_suffix('M')) {
        (Some(number), _) => (number, 1_000),
        (_, Some(number)) => (number, 1_000_000),
        (None, None) => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[track_caller]
    fn check(text: &str, wanted: PathSpec) {
        assert_eq!(text.parse(), Ok(wanted), "{text}");
    }

    fn with(link: LinkConfig) -> PathSpec {
        PathSpec { link, blackouts: Vec::new() }
    }

    #[test]
    fn every_item_means_what_it_says() {
        check("", PathSpec::default());
        check(
            "loss=0.5%,delay=25ms,jitter=1500us,rate=10M,queue=64k,mtu=1200",
            with(LinkConfig {
                loss: LossModel::Independent { ppm: 5_000 },
                delay: ms(25),
                jitter: Duration::from_micros(1_500),
                rate_bps: 10_000_000,
                queue_bytes: 64_000,
                mtu_bytes: 1200,
                ..LinkConfig::default()
            }),
        );
        check(
            "reorder,hold=1%:5ms:20ms,dup=2%:3ms,corrupt=0.1%,truncate=0.2%",
            with(LinkConfig {
                jitter_reorders: true,
                hold_back_ppm: 10_000,
                hold_back_min: ms(5),
                hold_back_max: ms(20),
                duplicate_ppm: 20_000,
                duplicate_spread: ms(3),
                corrupt_ppm: 1_000,
                truncate_ppm: 2_000,
                ..LinkConfig::default()
            }),
        );
        let blackouts = vec![ms(2_000)..ms(2_500), ms(9_000)..ms(9_100)];
        let dark = PathSpec { blackouts, ..PathSpec::default() };
        assert_eq!(
            [1_999, 2_000, 2_499, 2_500, 9_050].map(|at| dark.is_dark(ms(at))),
            [false, true, true, false, true]
        );
        check("blackout=2s:2.5s,blackout=9s:9.1s", dark);
    }

    #[test]
    fn mistakes_are_named() {
        for item in
            ["loss=5", "loss=101%", "burst=0", "delay=25", "delay=-1ms", "reorder=1", "hold=1%", "speed=9", "rate=1G"]
        {
            let error = format!("delay=1ms,{item},mtu=1200").parse::<PathSpec>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{item}`")), "{error}");
        }
        // A burst of what is never lost, and one of everything.
        assert!("burst=5".parse::<PathSpec>().is_err() && "loss=100%,burst=1".parse::<PathSpec>().is_err());
    }

    #[test]
    fn bursts_have_the_mean_loss_and_length_that_are_asked_for() {
        let spec: PathSpec = "loss=5%,burst=5".parse().unwrap();
        let LossModel::BurstByPacket { good_to_bad_ppm, bad_to_good_ppm, loss_good_ppm: 0, loss_bad_ppm: PPM } =
            spec.link.loss
        else {
            panic!("{spec:?}")
        };
        assert_eq!(bad_to_good_ppm, PPM / 5);
        let in_bad = f64::from(good_to_bad_ppm) / f64::from(good_to_bad_ppm + bad_to_good_ppm);
        assert!((in_bad - 0.05).abs() < 1e-5, "{in_bad}");
    }

    #[test]
    fn every_profile_can_be_read_and_has_a_name_of_its_own() {
        for (place, profile) in PROFILES.iter().enumerate() {
            assert!(profile.spec.parse::<PathSpec>().is_ok(), "{profile:?}");
            assert_eq!(Profile::named(profile.name), PROFILES.get(place));
        }
        assert_eq!(Profile::named("P5"), None);
    }
}
