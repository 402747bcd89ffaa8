//! All trees over the same tasks, one by one: chains of refining partitions, from the first stage to the last. A partition is
//! written as labels in order of first appearance: `[0, 0, 1]` parts the third task from the first two.

/// A partition of the tasks: the block of each, in order of first appearance.
pub type Labels = Vec<u16>;

/// Blocks of a partition.
pub fn blocks(labels: &[u16]) -> usize {
    labels.iter().max().map_or(0, |m| *m as usize + 1)
}

/// All partitions of `tasks` items, the coarsest first.
pub fn partitions(tasks: usize) -> Vec<Labels> {
    refinements(&vec![0; tasks], tasks)
}

/// All partitions into at most `most` blocks that refine this one, itself among them; in the order of their labels.
pub fn refinements(of: &[u16], most: usize) -> Vec<Labels> {
    let mut out = Vec::new();
    let mut labels = vec![0; of.len()];
    // For each label so far, the block of `of` that it lies in.
    let mut within = Vec::new();
    refine(of, most, 0, &mut labels, &mut within, &mut out);
    out
}

fn refine(of: &[u16], most: usize, at: usize, labels: &mut Labels, within: &mut Vec<u16>, out: &mut Vec<Labels>) {
    let Some(block) = of.get(at) else {
        out.push(labels.clone());
        return;
    };
    for label in 0..within.len() {
        if within[label] == *block {
            labels[at] = label as u16;
            refine(of, most, at + 1, labels, within, out);
        }
    }
    if within.len() < most {
        labels[at] = within.len() as u16;
        within.push(*block);
        refine(of, most, at + 1, labels, within, out);
        within.pop();
    }
}

/// All partitions into at most `most` blocks that this one refines, itself among them.
pub fn coarsenings(of: &[u16], most: usize) -> Vec<Labels> {
    let merged = refinements(&vec![0; blocks(of)], most);
    merged.into_iter().map(|m| of.iter().map(|b| m[*b as usize]).collect()).collect()
}

/// The same partition with labels in order of first appearance.
pub fn canonical(labels: &[u16]) -> Labels {
    let mut names: Vec<Option<u16>> = vec![None; labels.len().max(blocks(labels))];
    let mut next = 0;
    let name = |l: &u16| {
        *names[*l as usize].get_or_insert_with(|| {
            next += 1;
            next - 1
        })
    };
    labels.iter().map(name).collect()
}

/// Visits every tree of `tasks` tasks with at most `most[l]` blocks at stage `l`; `visit` says whether to go on.
pub fn each(tasks: usize, most: &[usize], visit: &mut dyn FnMut(&[Labels]) -> bool) {
    let mut chain = Vec::with_capacity(most.len());
    walk(&vec![0; tasks], most, &mut chain, visit);
}

fn walk(above: &[u16], most: &[usize], chain: &mut Vec<Labels>, visit: &mut dyn FnMut(&[Labels]) -> bool) -> bool {
    let Some(limit) = most.get(chain.len()) else { return visit(chain) };
    for labels in refinements(above, *limit) {
        chain.push(labels.clone());
        let more = walk(&labels, most, chain, visit);
        chain.pop();
        if !more {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::count::chains;

    /// As many trees are walked as there are by the recurrence of `count`, for all sizes that a published table has and one more.
    #[test]
    fn as_many_as_are_counted() {
        for tasks in 1..=6 {
            for stages in 1..=6 {
                let most = vec![tasks; stages];
                let mut seen = 0u64;
                each(tasks, &most, &mut |chain| {
                    assert_eq!(chain.len(), stages);
                    seen += 1;
                    true
                });
                assert_eq!(Some(seen.into()), chains(tasks, &most), "{tasks} tasks, {stages} stages");
            }
        }
        let mut bounded = 0u64;
        each(4, &[1, 2, 3], &mut |_| {
            bounded += 1;
            true
        });
        assert_eq!(Some(bounded.into()), chains(4, &[1, 2, 3]));
    }

    #[test]
    fn every_tree_is_another_and_refines() {
        let mut seen = std::collections::HashSet::new();
        each(4, &[4, 4, 4], &mut |chain| {
            assert!(seen.insert(chain.to_vec()));
            for (above, below) in chain.iter().zip(&chain[1..]) {
                for i in 0..4 {
                    for j in 0..4 {
                        assert!(below[i] != below[j] || above[i] == above[j], "{chain:?}");
                    }
                }
            }
            true
        });
        assert_eq!(seen.len(), 154);
    }

    #[test]
    fn coarser_ones_and_canonical_labels() {
        assert_eq!(coarsenings(&[0, 1, 0, 2], 2).len(), 4, "together, or one of three apart");
        assert_eq!(canonical(&[3, 1, 3, 0]), [0, 1, 0, 2]);
        assert_eq!(blocks(&[0, 1, 0, 2]), 3);
    }
}
