//! Places for a layered drawing. Along the main axis layers follow one another; across it nodes keep the order of their layer, as near
//! to their neighbours as their sizes allow. Edges that pass layers get lanes between the nodes there, so that they cross none.

use std::collections::HashMap;

use super::drawing::{Drawing, EdgeKind, LayerKind};

/// Sizes along (`main`) and across the flow.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub main: f64,
    pub cross: f64,
}

pub struct Spacing {
    /// Between layers, at least.
    pub layers: f64,
    /// Between neighbours of a layer.
    pub nodes: f64,
    pub lanes: f64,
}

#[derive(Debug, Default)]
pub struct Layout {
    /// Start along the flow and centre across it, of each node.
    pub nodes: Vec<(f64, f64)>,
    /// Start and length of each layer along the flow.
    pub layers: Vec<(f64, f64)>,
    pub main: f64,
    pub cross: f64,
    /// Each edge as stretches along the flow: (main, cross) of the points it passes; pairs of points within a layer are straight.
    pub edges: Vec<Vec<(f64, f64)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    Node(usize),
    /// A value on its way past a layer; all of its readers further on share it.
    Lane(usize, bool),
}

/// Sweeps over the layers; it settles long before.
const SWEEPS: usize = 12;

/// Lays a drawing out; `least` is the least length of each layer.
pub fn layout(d: &Drawing, sizes: &[Size], least: &[f64], spacing: &Spacing) -> Layout {
    let mut layer_of = vec![0; d.nodes.len()];
    for (l, layer) in d.layers.iter().enumerate() {
        layer.nodes.iter().for_each(|n| layer_of[*n] = l);
    }
    let mut items: Vec<Vec<Item>> = d.layers.iter().map(|l| l.nodes.iter().map(|n| Item::Node(*n)).collect()).collect();
    let faint = |k: EdgeKind| matches!(k, EdgeKind::Skip | EdgeKind::Query);
    // How far each value must travel.
    let mut reach: HashMap<(usize, bool), usize> = HashMap::new();
    for e in &d.edges {
        let far = reach.entry((e.from, faint(e.kind))).or_insert(0);
        *far = (*far).max(layer_of[e.to]);
    }
    let mut lanes: Vec<(usize, bool, usize)> = reach.into_iter().map(|((n, f), far)| (n, f, far)).collect();
    lanes.sort_unstable();
    let mut place = vec![0.5; d.nodes.len()];
    for row in &items {
        for (i, item) in row.iter().enumerate() {
            if let Item::Node(n) = item {
                place[*n] = (i as f64 + 0.5) / row.len() as f64;
            }
        }
    }
    let mut extra: Vec<Vec<(f64, Item)>> = vec![Vec::new(); items.len()];
    for (n, f, far) in lanes {
        for row in extra.iter_mut().take(far).skip(layer_of[n] + 1) {
            row.push((place[n], Item::Lane(n, f)));
        }
    }
    for (row, extra) in items.iter_mut().zip(extra) {
        if extra.is_empty() {
            continue;
        }
        let nodes = row.iter().map(|i| match i {
            Item::Node(n) => (place[*n], *i),
            Item::Lane(..) => (0.5, *i),
        });
        let mut keyed: Vec<(f64, Item)> = nodes.chain(extra).collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        *row = keyed.into_iter().map(|(_, i)| i).collect();
    }
    let mut index: HashMap<(usize, Item), usize> = HashMap::new();
    let mut flat: Vec<(usize, Item)> = Vec::new();
    for (l, row) in items.iter().enumerate() {
        for item in row {
            index.insert((l, *item), flat.len());
            flat.push((l, *item));
        }
    }
    // Routes of edges, and neighbours: pairs of items in successive layers.
    let mut links: Vec<(usize, usize)> = Vec::new();
    let mut routes: Vec<Vec<usize>> = Vec::new();
    for e in &d.edges {
        let (a, b) = (layer_of[e.from], layer_of[e.to]);
        let mut route = vec![index[&(a, Item::Node(e.from))]];
        route.extend((a + 1..b).map(|l| index[&(l, Item::Lane(e.from, faint(e.kind)))]));
        route.push(index[&(b, Item::Node(e.to))]);
        links.extend(route.windows(2).map(|w| (w[0], w[1])));
        routes.push(route);
    }
    links.sort_unstable();
    links.dedup();
    let mut before = vec![Vec::new(); flat.len()];
    let mut after = vec![Vec::new(); flat.len()];
    for (a, b) in &links {
        before[*b].push(*a);
        after[*a].push(*b);
    }
    let breadth = |i: usize| match flat[i].1 {
        Item::Node(n) => sizes[n].cross,
        Item::Lane(..) => 0.0,
    };
    let gap = |a: usize, b: usize| {
        let space = match (flat[a].1, flat[b].1) {
            (Item::Node(_), Item::Node(_)) => spacing.nodes,
            _ => spacing.lanes,
        };
        (breadth(a) + breadth(b)) / 2.0 + space
    };
    let rows: Vec<Vec<usize>> =
        items.iter().enumerate().map(|(l, row)| row.iter().map(|i| index[&(l, *i)]).collect()).collect();
    let mut at = vec![0.0; flat.len()];
    for row in &rows {
        let mut x = 0.0;
        for (i, item) in row.iter().enumerate() {
            if i > 0 {
                x += gap(row[i - 1], *item);
            }
            at[*item] = x;
        }
        let middle = x / 2.0;
        row.iter().for_each(|i| at[*i] -= middle);
    }
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        for step in 0..rows.len() {
            let row = &rows[if forward { step } else { rows.len() - 1 - step }];
            let wanted: Vec<f64> = row
                .iter()
                .map(|i| {
                    let near = if forward { &before[*i] } else { &after[*i] };
                    if near.is_empty() { at[*i] } else { near.iter().map(|n| at[*n]).sum::<f64>() / near.len() as f64 }
                })
                .collect();
            let gaps: Vec<f64> = row.windows(2).map(|w| gap(w[0], w[1])).collect();
            for (i, x) in row.iter().zip(settle(&wanted, &gaps)) {
                at[*i] = x;
            }
        }
    }
    let low = flat.iter().enumerate().map(|(i, _)| at[i] - breadth(i) / 2.0).fold(f64::INFINITY, f64::min);
    at.iter_mut().for_each(|x| *x -= low);
    let high = flat.iter().enumerate().map(|(i, _)| at[i] + breadth(i) / 2.0).fold(0.0, f64::max);
    let mut out = Layout { nodes: vec![(0.0, 0.0); d.nodes.len()], cross: high, ..Layout::default() };
    // Long ways across need room to turn.
    let mut steepest = vec![0.0f64; items.len()];
    for (a, b) in &links {
        let s = &mut steepest[flat[*b].0];
        *s = s.max((at[*a] - at[*b]).abs());
    }
    let mut main = 0.0;
    for (l, layer) in d.layers.iter().enumerate() {
        let length = layer.nodes.iter().map(|n| sizes[*n].main).fold(least[l], f64::max);
        if l > 0 {
            // A junction belongs to the layer that it stands behind.
            let junction = [l - 1, l].iter().any(|l| d.layers[*l].kind == LayerKind::Junctions);
            let least = if junction { spacing.layers * 0.6 } else { spacing.layers };
            main += least + (steepest[l] * 0.12).min(60.0);
        }
        out.layers.push((main, length));
        for n in &layer.nodes {
            out.nodes[*n] = (main + (length - sizes[*n].main) / 2.0, at[index[&(l, Item::Node(*n))]]);
        }
        main += length;
    }
    out.main = main;
    for route in routes {
        let mut points = Vec::new();
        for (i, item) in route.iter().enumerate() {
            let (l, kind) = flat[*item];
            match kind {
                Item::Node(n) => {
                    let start = out.nodes[n].0;
                    points.push((if i == 0 { start + sizes[n].main } else { start }, at[*item]));
                }
                Item::Lane(..) => {
                    let (start, length) = out.layers[l];
                    points.push((start, at[*item]));
                    points.push((start + length, at[*item]));
                }
            }
        }
        out.edges.push(points);
    }
    out
}

/// The places nearest to the wanted ones (least squares) that keep the gaps: isotonic regression by pooling neighbours.
fn settle(wanted: &[f64], gaps: &[f64]) -> Vec<f64> {
    let mut offset = vec![0.0; wanted.len()];
    for i in 1..wanted.len() {
        offset[i] = offset[i - 1] + gaps[i - 1];
    }
    // Blocks of items that touch: (sum of what they want, how many).
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (w, o) in wanted.iter().zip(&offset) {
        blocks.push((w - o, 1));
        while let [.., a, b] = blocks.as_slice()
            && a.0 / a.1 as f64 > b.0 / b.1 as f64
        {
            let merged = (a.0 + b.0, a.1 + b.1);
            blocks.truncate(blocks.len() - 2);
            blocks.push(merged);
        }
    }
    let places = blocks.iter().flat_map(|(sum, n)| std::iter::repeat_n(sum / *n as f64, *n));
    places.zip(&offset).map(|(x, o)| x + o).collect()
}

#[cfg(test)]
mod tests {
    use super::settle;

    #[test]
    fn neighbours_keep_their_gaps_and_stay_near() {
        assert_eq!(settle(&[0.0, 10.0], &[4.0]), [0.0, 10.0]);
        assert_eq!(settle(&[5.0, 5.0], &[4.0]), [3.0, 7.0]);
        let out = settle(&[9.0, 0.0, 3.0, 50.0], &[2.0, 2.0, 2.0]);
        assert!(out.windows(2).all(|w| w[1] - w[0] >= 2.0 - 1e-9), "{out:?}");
        assert_eq!(out[3], 50.0);
    }
}
