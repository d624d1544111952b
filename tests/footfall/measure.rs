//! V-measure (Rosenberg and Hirschberg 2007) of a clustering.

use std::collections::BTreeMap;
use std::hash::Hash;

fn entropy<'a>(counts: impl Iterator<Item = &'a u32>, all: f64) -> f64 {
    counts.map(|count| f64::from(*count) / all).map(|share| -share * share.ln()).sum()
}

/// The harmonic mean of homogeneity and completeness, of pairs of truth and cluster.
pub(crate) fn v_measure<T: Ord + Hash + Copy, C: Ord + Hash + Copy>(pairs: &[(T, C)]) -> f64 {
    let (mut truths, mut clusters, mut both) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (truth, cluster) in pairs {
        *truths.entry(truth).or_insert(0_u32) += 1;
        *clusters.entry(cluster).or_insert(0_u32) += 1;
        *both.entry((truth, cluster)).or_insert(0_u32) += 1;
    }
    let all = f64::from(u32::try_from(pairs.len()).unwrap());
    let (of_truth, of_cluster) = (entropy(truths.values(), all), entropy(clusters.values(), all));
    let together = entropy(both.values(), all);
    let part = |rest: f64, of: f64| if of == 0.0 { 1.0 } else { 1.0 - rest / of };
    let homogeneity = part(together - of_cluster, of_truth);
    let completeness = part(together - of_truth, of_cluster);
    if homogeneity + completeness == 0.0 {
        0.0
    } else {
        2.0 * homogeneity * completeness / (homogeneity + completeness)
    }
}

#[test]
fn the_measure_is_one_for_the_truth_and_nothing_for_one_heap() {
    assert!((v_measure(&[(1, 'a'), (1, 'a'), (2, 'b')]) - 1.0).abs() < 1e-12);
    assert!(v_measure(&[(1, 'a'), (2, 'a')]).abs() < 1e-12);
    // Worked by hand: truths 2 and 2, clusters 3 and 1: h = 0.3113, c = 0.3837.
    assert!((v_measure(&[(1, 'a'), (1, 'a'), (2, 'a'), (2, 'b')]) - 0.3437).abs() < 1e-3);
}
