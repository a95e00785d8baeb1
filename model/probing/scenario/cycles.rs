//! Cycles in relations that must have none: `parent`, `after`, `softdep-pre`.

/// The cycles that a depth-first walk meets, each from its least member on, in the order of those.
///
/// `next[n]` are the successors of node `n`. There is a cycle if and only if one is returned.
pub(crate) fn cycles(next: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut walk = Walk { next, done: vec![false; next.len()], path: Vec::new(), found: Vec::new() };
    for node in 0..next.len() {
        walk.visit(node);
    }
    walk.found.sort();
    walk.found.dedup();
    walk.found
}

struct Walk<'a> {
    next: &'a [Vec<usize>],
    done: Vec<bool>,
    path: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl Walk<'_> {
    fn visit(&mut self, node: usize) {
        if self.done[node] {
            return;
        }
        if let Some(start) = self.path.iter().position(|&other| other == node) {
            let mut cycle = self.path[start..].to_vec();
            let least = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
            cycle.rotate_left(least);
            self.found.push(cycle);
            return;
        }
        self.path.push(node);
        for &next in &self.next[node] {
            self.visit(next);
        }
        self.path.pop();
        self.done[node] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_and_diamonds_have_none() {
        assert!(cycles(&[vec![1, 2], vec![3], vec![3], vec![]]).is_empty());
    }

    #[test]
    fn a_cycle_begins_with_its_least_member() {
        assert_eq!(cycles(&[vec![2], vec![0], vec![1]]), [[0, 2, 1]]);
        assert_eq!(cycles(&[vec![], vec![1]]), [[1]]);
        let two = cycles(&[vec![1], vec![0], vec![3], vec![2]]);
        assert_eq!(two, [[0, 1], [2, 3]]);
    }
}
