//! Who is who: the pairing of tracks and faces that costs least in all.

/// Pairs rows with columns so that the sum of the costs is least; a pair at or above `most` is none. The answer says
/// for each row its column. Kuhn's Hungarian method with potentials, O(rows² · columns).
pub(super) fn assign(costs: &[Vec<f32>], columns: usize, most: f32) -> Vec<Option<usize>> {
    let rows = costs.len();
    // A column of its own for each row that would rather stay alone.
    let width = columns + rows;
    let cost = |row: usize, column: usize| {
        let cost = costs[row].get(column).copied().unwrap_or(most);
        if cost < most { cost } else { most }
    };
    let (mut up, mut down) = (vec![0.0_f32; rows + 1], vec![0.0_f32; width + 1]);
    // Columns count from 1; 0 is where a search begins. `row_of[c]` is the row that has column c, 0 for none.
    let mut row_of = vec![0_usize; width + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let (mut at, mut least) = (0, vec![f32::INFINITY; width + 1]);
        let (mut before, mut used) = (vec![0; width + 1], vec![false; width + 1]);
        while row_of[at] != 0 {
            used[at] = true;
            let (here, mut step, mut next) = (row_of[at], f32::INFINITY, 0);
            for column in (1..=width).filter(|column| !used[*column]) {
                let reduced = cost(here - 1, column - 1) - up[here] - down[column];
                if reduced < least[column] {
                    (least[column], before[column]) = (reduced, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            for column in 0..=width {
                if used[column] {
                    up[row_of[column]] += step;
                    down[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            row_of[at] = row_of[before[at]];
            at = before[at];
        }
    }
    let mut answer = vec![None; rows];
    for (column, row) in row_of.iter().enumerate().skip(1).filter(|(_, row)| **row > 0) {
        let real = column <= columns && cost(row - 1, column - 1) < most;
        answer[row - 1] = real.then(|| column - 1);
    }
    answer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The least sum by trying everything.
    fn least(costs: &[Vec<f32>], columns: usize, most: f32, taken: u32) -> f32 {
        let Some((first, rest)) = costs.split_first() else { return 0.0 };
        let alone = most + least(rest, columns, most, taken);
        (0..columns)
            .filter(|column| taken & (1 << column) == 0 && first[*column] < most)
            .map(|column| first[column] + least(rest, columns, most, taken | 1 << column))
            .fold(alone, f32::min)
    }

    proptest! {
        #[test]
        fn the_pairing_costs_as_little_as_the_best_of_all_pairings(
            costs in (0_usize..5, 0_usize..5).prop_flat_map(|(rows, columns)| {
                prop::collection::vec(prop::collection::vec(0_f32..10.0, columns), rows)
            })
        ) {
            let columns = costs.first().map_or(0, Vec::len);
            let answer = assign(&costs, columns, 6.0);
            let mut seen = std::collections::BTreeSet::new();
            let mut sum = 0.0;
            for (row, column) in answer.iter().enumerate() {
                match column {
                    Some(column) => {
                        prop_assert!(seen.insert(*column), "one column for two rows");
                        prop_assert!(costs[row][*column] < 6.0);
                        sum += costs[row][*column];
                    }
                    None => sum += 6.0,
                }
            }
            prop_assert!((sum - least(&costs, columns, 6.0, 0)).abs() < 1e-3, "{sum}");
        }
    }
}
