//! Ridge regression (Hoerl and Kennard 1970) on sums, so that leaving a group out is a subtraction.

use super::levels::{FEATURES, Features};

/// What was heard, how many people there were, and of which group the point is: points of one group are left out
/// together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) x: [f64; FEATURES],
    pub(super) y: f64,
    pub(super) group: usize,
}

/// Sums over points.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    n: f64,
    x: [f64; FEATURES],
    y: f64,
    xx: [[f64; FEATURES]; FEATURES],
    xy: [f64; FEATURES],
}

/// A linear function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) offset: f64,
    pub(super) weights: [f64; FEATURES],
}

impl Line {
    pub(super) fn at(&self, features: &Features) -> f64 {
        self.offset + self.weights.iter().zip(&features.0).map(|(weight, x)| weight * x).sum::<f64>()
    }

    /// Adds `share` of another one.
    pub(super) fn add(&mut self, share: f64, other: &Self) {
        self.offset += share * other.offset;
        for (own, other) in self.weights.iter_mut().zip(other.weights) {
            *own += share * other;
        }
    }
}

impl Sums {
    pub(super) fn new() -> Self {
        Self { n: 0.0, x: [0.0; FEATURES], y: 0.0, xx: [[0.0; FEATURES]; FEATURES], xy: [0.0; FEATURES] }
    }

    /// Adds a point, or takes it away with `sign` -1.
    pub(super) fn add(&mut self, point: &Point, sign: f64) {
        self.n += sign;
        self.y += sign * point.y;
        for (i, x) in point.x.iter().enumerate() {
            self.x[i] += sign * x;
            self.xy[i] += sign * x * point.y;
            for (sum, other) in self.xx[i].iter_mut().zip(point.x) {
                *sum += sign * x * other;
            }
        }
    }

    pub(super) fn mean(&self) -> f64 {
        if self.n < 0.5 { 0.0 } else { self.y / self.n }
    }

    /// How far each feature spreads.
    pub(super) fn deviations(&self) -> [f64; FEATURES] {
        std::array::from_fn(|i| {
            let mean = self.x[i] / self.n.max(1.0);
            (self.xx[i][i] / self.n.max(1.0) - mean * mean).max(0.0).sqrt()
        })
    }

    /// The best line that uses these features only, its weights held small by `penalty` in units of `deviations`.
    pub(super) fn fit(&self, used: &[usize], deviations: &[f64; FEATURES], penalty: f64) -> Line {
        let flat = Line { offset: self.mean(), weights: [0.0; FEATURES] };
        let used: Vec<usize> = used.iter().copied().filter(|i| deviations[*i] > 1e-6).collect();
        if used.is_empty() || self.n < 1.5 {
            return flat;
        }
        let mean = |i: usize| self.x[i] / self.n;
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(used.len());
        for &i in &used {
            let scaled = |j: &usize| (self.xx[i][*j] - self.n * mean(i) * mean(*j)) / (deviations[i] * deviations[*j]);
            let mut row: Vec<f64> = used.iter().map(scaled).collect();
            row.push((self.xy[i] - self.n * mean(i) * self.mean()) / deviations[i]);
            rows.push(row);
        }
        for (i, row) in rows.iter_mut().enumerate() {
            row[i] += penalty * self.n;
        }
        let Some(solution) = solve(rows) else { return flat };
        let mut line = flat;
        for (i, weight) in used.into_iter().zip(solution) {
            line.weights[i] = weight / deviations[i];
            line.offset -= line.weights[i] * mean(i);
        }
        line
    }
}

/// Solves a small positive definite system, each row with its right side behind it; `None` if it has no solution.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let n = rows.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs()))?;
        rows.swap(i, pivot);
        if rows[i][i].abs() < 1e-12 {
            return None;
        }
        let own = rows[i].clone();
        for row in &mut rows[i + 1..] {
            let factor = row[i] / own[i];
            row.iter_mut().zip(&own).for_each(|(value, own)| *value -= factor * own);
        }
    }
    let mut solution = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| rows[i][j] * solution[j]).sum();
        solution[i] = (rows[i][n] - known) / rows[i][i];
    }
    solution.iter().all(|value: &f64| value.is_finite()).then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on `y = 2 + 3 a - b`.
    fn points() -> Vec<Point> {
        let of = |i: usize| {
            let mut x = [0.0; FEATURES];
            (x[0], x[3]) = ((i % 7) as f64, (i % 5) as f64);
            Point { x, y: 2.0 + 3.0 * x[0] - x[3], group: i }
        };
        (0..40).map(of).collect()
    }

    fn sums(points: &[Point]) -> Sums {
        let mut sums = Sums::new();
        points.iter().for_each(|point| sums.add(point, 1.0));
        sums
    }

    #[test]
    fn a_line_without_noise_is_found_again() {
        let sums = sums(&points());
        let line = sums.fit(&[0, 1, 3], &sums.deviations(), 0.0);
        assert!((line.offset - 2.0).abs() < 1e-9 && (line.weights[0] - 3.0).abs() < 1e-9);
        assert!((line.weights[3] + 1.0).abs() < 1e-9 && line.weights[1] == 0.0, "a constant feature has no weight");
    }

    #[test]
    fn a_heavy_penalty_leaves_the_mean() {
        let sums = sums(&points());
        let line = sums.fit(&[0, 3], &sums.deviations(), 1e9);
        assert!((line.offset - sums.mean()).abs() < 1e-3 && line.weights[0].abs() < 1e-3);
    }

    #[test]
    fn taking_points_away_is_never_having_had_them() {
        let all = points();
        let mut less = sums(&all);
        all[..9].iter().for_each(|point| less.add(point, -1.0));
        let fresh = sums(&all[9..]);
        let deviations = fresh.deviations();
        let (less, fresh) = (less.fit(&[0, 3], &deviations, 0.1), fresh.fit(&[0, 3], &deviations, 0.1));
        assert!((less.offset - fresh.offset).abs() < 1e-6 && (less.weights[0] - fresh.weights[0]).abs() < 1e-6);
    }
}
