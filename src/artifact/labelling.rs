//! Telling copies apart that serve the same tasks: a canonical order of the vertices of a small graph, by refining ranks until
//! nothing changes, then by trying each of those still tied and keeping the least outcome (McKay 1981, without the group theory).
//! Copies that can be exchanged for one another, such as the experts of a mixture, are recognised and cost nothing.

/// A copy or a mix.
#[derive(Debug, Clone, Default)]
pub struct Vertex {
    pub node: bool,
    /// Some task reaches it.
    pub kept: bool,
    /// What it reads that is no vertex, and what kind of mix it is.
    pub inputs: Vec<usize>,
    /// Role and vertex.
    pub sources: Vec<(usize, usize)>,
    /// Role and vertex.
    pub readers: Vec<(usize, usize)>,
    /// Tasks that read it.
    pub tasks: Vec<usize>,
}

/// Refinements that a search for the least outcome may take; beyond, the order of the text decides. Reached only by large graphs
/// that are regular and yet not symmetric.
const BUDGET: usize = 4000;

/// Distinct ranks for the kept nodes that extend the order of `ranks`, independent of the order in which vertices are given.
pub fn order(vertices: &[Vertex], mut ranks: Vec<usize>) -> Vec<usize> {
    let mut search = Search { vertices, left: BUDGET };
    search.refine(&mut ranks);
    search.best(ranks).0
}

struct Search<'a> {
    vertices: &'a [Vertex],
    left: usize,
}

impl Search<'_> {
    /// Splits ties by what a vertex reads and by who reads it, until nothing splits. A rank is the number of vertices below.
    fn refine(&mut self, ranks: &mut Vec<usize>) {
        self.left = self.left.saturating_sub(1);
        loop {
            let signature = |v: usize| {
                let x = &self.vertices[v];
                let side = |list: &[(usize, usize)]| {
                    let mut out: Vec<(usize, usize)> = list.iter().map(|(role, u)| (*role, ranks[*u])).collect();
                    out.sort_unstable();
                    out
                };
                (ranks[v], &x.inputs, side(&x.sources), side(&x.readers), &x.tasks)
            };
            let mut all: Vec<_> = (0..ranks.len()).map(|v| (signature(v), v)).collect();
            all.sort_unstable();
            let mut next = vec![0; ranks.len()];
            let mut split = false;
            for (at, pair) in all.windows(2).enumerate() {
                let same = pair[0].0 == pair[1].0;
                next[pair[1].1] = if same { next[pair[0].1] } else { at + 1 };
                split |= !same && pair[0].0.0 == pair[1].0.0;
            }
            drop(all);
            *ranks = next;
            if !split {
                return;
            }
        }
    }

    /// The first tie among kept nodes, least index first.
    fn tie(&self, ranks: &[usize]) -> Option<Vec<usize>> {
        let mut nodes: Vec<(usize, usize)> = (0..ranks.len())
            .filter(|v| self.vertices[*v].node && self.vertices[*v].kept)
            .map(|v| (ranks[v], v))
            .collect();
        nodes.sort_unstable();
        let cell = nodes.chunk_by(|a, b| a.0 == b.0).find(|c| c.len() > 1)?;
        Some(cell.iter().map(|(_, v)| *v).collect())
    }

    /// Whether exchanging any two of them changes nothing.
    fn twins(&self, cell: &[usize]) -> bool {
        let sorted = |list: &[(usize, usize)]| {
            let mut out = list.to_vec();
            out.sort_unstable();
            out
        };
        let first = &self.vertices[cell[0]];
        let (sources, readers) = (sorted(&first.sources), sorted(&first.readers));
        cell[1..].iter().all(|v| {
            let x = &self.vertices[*v];
            x.inputs == first.inputs
                && x.tasks == first.tasks
                && sorted(&x.sources) == sources
                && sorted(&x.readers) == readers
        })
    }

    /// `v` before the others of its tie.
    fn single_out(&mut self, v: usize, ranks: &[usize]) -> Vec<usize> {
        let mut out = ranks.to_vec();
        for (u, rank) in out.iter_mut().enumerate() {
            if u != v && *rank == ranks[v] {
                *rank += 1;
            }
        }
        self.refine(&mut out);
        out
    }

    /// Ranks without ties, always taking the first of a tie.
    fn any(&mut self, mut ranks: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
        while let Some(cell) = self.tie(&ranks) {
            ranks = self.split(&cell, ranks);
        }
        let outcome = self.outcome(&ranks);
        (ranks, outcome)
    }

    fn split(&mut self, cell: &[usize], mut ranks: Vec<usize>) -> Vec<usize> {
        if !self.twins(cell) {
            return self.single_out(cell[0], &ranks);
        }
        for (i, v) in cell.iter().enumerate() {
            ranks[*v] += i;
        }
        self.refine(&mut ranks);
        ranks
    }

    /// Ranks without ties, of least outcome.
    fn best(&mut self, mut ranks: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
        let cell = loop {
            match self.tie(&ranks) {
                None => {
                    let outcome = self.outcome(&ranks);
                    return (ranks, outcome);
                }
                Some(cell) if self.twins(&cell) => ranks = self.split(&cell, ranks),
                Some(cell) => break cell,
            }
        };
        let first = self.single_out(cell[0], &ranks);
        let sample = self.any(first.clone()).1;
        let mut least = self.best(first);
        for v in &cell[1..] {
            if self.left == 0 {
                break;
            }
            let ranks = self.single_out(*v, &ranks);
            // The same outcome on the way means a symmetry that takes the first to this one: nothing new below.
            if self.any(ranks.clone()).1 == sample {
                continue;
            }
            let other = self.best(ranks);
            if other.1 < least.1 {
                least = other;
            }
        }
        least
    }

    /// The graph in terms of ranks alone: equal outcomes are equal graphs.
    fn outcome(&self, ranks: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..ranks.len()).filter(|v| self.vertices[*v].kept).collect();
        order.sort_by_key(|v| (ranks[*v], *v));
        let mut out = Vec::new();
        for v in order {
            let x = &self.vertices[v];
            let mut sources: Vec<(usize, usize)> = x.sources.iter().map(|(role, u)| (*role, ranks[*u])).collect();
            sources.sort_unstable();
            out.extend([ranks[v], x.inputs.len(), sources.len(), x.tasks.len()]);
            out.extend(x.inputs.iter().chain(&x.tasks));
            out.extend(sources.into_iter().flat_map(|(role, rank)| [role, rank]));
        }
        out
    }
}
