//! Who goes on from whom: the pairs of the greatest sum, by auction (Bertsekas 1988).
//!
//! Each bidder wants one thing, or nothing at a value of 0; it bids what the thing is worth more to it than its second
//! choice, and who is outbid bids again. The sum is within [`STEP`] for each bidder of the greatest possible.

/// What every bid adds at least.
const STEP: f64 = 0.05;

/// One wish: a thing, and what it is worth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) thing: u32,
    pub(super) worth: f64,
}

/// For each bidder the place of the wish in its list that it gets, if any. Wishes worth nothing are never granted.
pub(super) fn auction(wishes: &[Vec<Wish>], things: usize) -> Vec<Option<usize>> {
    let mut prices = vec![0.0_f64; things];
    let mut owners: Vec<Option<usize>> = vec![None; things];
    let mut won: Vec<Option<usize>> = vec![None; wishes.len()];
    let mut waiting: Vec<usize> = (0..wishes.len()).rev().collect();
    while let Some(bidder) = waiting.pop() {
        let (mut best, mut second) = (None, 0.0_f64);
        let mut most = 0.0_f64;
        for (at, wish) in wishes[bidder].iter().enumerate() {
            let value = wish.worth - prices[wish.thing as usize];
            if value > most {
                second = most;
                (best, most) = (Some(at), value);
            } else if value > second {
                second = value;
            }
        }
        let Some(at) = best else { continue };
        let thing = wishes[bidder][at].thing as usize;
        prices[thing] += most - second + STEP;
        if let Some(outbid) = owners[thing].replace(bidder) {
            won[outbid] = None;
            waiting.push(outbid);
        }
        won[bidder] = Some(at);
    }
    won
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wish(thing: u32, worth: f64) -> Wish {
        Wish { thing, worth }
    }

    #[test]
    fn the_greatest_sum_is_found_and_not_the_greatest_pair() {
        let wishes = [vec![wish(0, 5.0), wish(1, 4.5)], vec![wish(0, 4.8), wish(1, 1.0)], vec![wish(1, -1.0)]];
        assert_eq!(auction(&wishes, 2), [Some(1), Some(0), None]);
    }

    /// The greatest sum by trying everything.
    fn by_trying(wishes: &[Vec<Wish>], taken: u32) -> f64 {
        let Some((first, rest)) = wishes.split_first() else { return 0.0 };
        let with = |wish: &Wish| wish.worth + by_trying(rest, taken | 1 << wish.thing);
        let free = first.iter().filter(|wish| taken & 1 << wish.thing == 0);
        free.map(with).fold(by_trying(rest, taken), f64::max)
    }

    proptest! {
        #[test]
        fn the_sum_is_as_good_as_trying_everything(
            worths in prop::collection::vec(prop::collection::vec(-2.0..9.0_f64, 5), 1..6),
        ) {
            let wishes_of = |row: &Vec<f64>| (0u32..).zip(row).map(|(thing, worth)| wish(thing, *worth)).collect();
            let wishes: Vec<Vec<Wish>> = worths.iter().map(wishes_of).collect();
            let won = auction(&wishes, 5);
            let granted: Vec<Wish> =
                won.iter().zip(&wishes).filter_map(|(at, wishes)| at.map(|at| wishes[at])).collect();
            let mut things: Vec<u32> = granted.iter().map(|wish| wish.thing).collect();
            things.sort_unstable();
            things.dedup();
            prop_assert_eq!(things.len(), granted.len(), "nothing is given twice");
            let sum: f64 = granted.iter().map(|wish| wish.worth).sum();
            prop_assert!(sum >= by_trying(&wishes, 0) - STEP * wishes.len() as f64 - 1e-9);
        }
    }
}
