//! Medians, percentiles, and how sure a median is.
//!
//! The interval is a percentile bootstrap of the median with a fixed seed, so that the same samples
//! always give the same text.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Resamples of the bootstrap: the ends of the interval are then steady to the second decimal.
const RESAMPLES: usize = 4000;
const SEED: u64 = 0x5EED;

/// A median and where it lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// The estimate from `samples`; of one sample, itself.
    pub(crate) fn of(samples: &[f64]) -> Estimate {
        let mut random = StdRng::seed_from_u64(SEED);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let pick = |_| samples[random.random_range(0..samples.len())];
                median(&(0..samples.len()).map(pick).collect::<Vec<f64>>())
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Estimate {
            median: median(samples),
            low: quantile(&medians, 0.025),
            high: quantile(&medians, 0.975),
        }
    }
}

/// The middle of `samples`.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// The value below which `share` of the ascending samples lie, interpolated.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

/// [`quantile`] of samples in any order.
pub(crate) fn quantile_of(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, share)
}

/// Milliseconds with their fraction.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(quantile(&[0.0, 10.0], 0.99), 9.9);
    }

    #[test]
    fn the_interval_holds_the_median_and_is_the_same_each_time() {
        let samples = [1.0, 1.1, 0.9, 1.3, 1.05, 0.95];
        let estimate = Estimate::of(&samples);
        assert!(estimate.low <= estimate.median && estimate.median <= estimate.high);
        assert_eq!(estimate, Estimate::of(&samples));
    }

    #[test]
    fn one_sample_is_its_own_interval() {
        assert_eq!(Estimate::of(&[2.0]), Estimate { median: 2.0, low: 2.0, high: 2.0 });
    }
}
