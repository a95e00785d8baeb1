//! Cycles in relations that must have none: `parent`, `after`, `softdep-pre`.

use petgraph::algo::{astar, tarjan_scc};
use petgraph::graph::{DiGraph, NodeIndex};

/// One cycle of each strongly connected component, the shortest through its least member, from that on.
///
/// `next[n]` are the successors of node `n`. There is a cycle if and only if one is returned.
pub(crate) fn cycles(next: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let edges = (0..).zip(next).flat_map(|(from, next)| next.iter().map(move |to| (from, *to as u32)));
    let graph: DiGraph<(), ()> = DiGraph::from_edges(edges);
    let through = |least: NodeIndex| {
        let back = |next| astar(&graph, next, |node| node == least, |_| 1, |_| 0);
        let (_, way) = graph.neighbors(least).filter_map(back).min()?;
        // The way ends where it is to begin.
        let mut cycle: Vec<usize> = way.iter().map(|node| node.index()).collect();
        cycle.rotate_right(1);
        Some(cycle)
    };
    let least = tarjan_scc(&graph).into_iter().filter_map(|component| component.into_iter().min());
    let mut cycles: Vec<Vec<usize>> = least.filter_map(through).collect();
    cycles.sort();
    cycles
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
