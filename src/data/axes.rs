//! The axes of arrays: whether a column has the sizes that an input or a label declares, and how its axes are reordered.
//!
//! Axes are compared one by one, never by the number of values alone: a `[height, width, channels]` array has as many values as a
//! `[channels, height, width]` one, and reading one as the other gives noise.

use crate::schema::{AttrDef, Need, Ty};

/// The order of an image's axes in its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Channels, height, width: the order of the network.
    #[default]
    Chw,
    /// Height, width, channels.
    Hwc,
}

/// The attribute `layout` of inputs and tasks.
pub const LAYOUT: AttrDef = AttrDef {
    name: "layout",
    ty: Ty::OneOf(&["chw", "hwc"]),
    need: Need::Optional,
    doc: "The order of the axes in the array: `chw` is channels, height, width; `hwc` is height, width, channels, and is converted to \
          `chw` while reading. The declared type always has the order of the network, `f32[channels, height, width]`. Sizes are compared axis by \
          axis; axes of size 1 may be missing, so arrays `[n, height, width]` fit `f32[1, height, width]`. Default: `chw`.",
};

impl Order {
    pub fn from_word(word: &str) -> Order {
        if word == "hwc" { Order::Hwc } else { Order::Chw }
    }

    pub fn word(self) -> &'static str {
        match self {
            Order::Chw => "chw",
            Order::Hwc => "hwc",
        }
    }

    /// The sizes of a sample in the order of the network.
    pub fn sizes(self, held: &[usize]) -> Vec<usize> {
        match (self, held) {
            (Order::Hwc, [h, w, c]) => vec![*c, *h, *w],
            _ => held.to_vec(),
        }
    }

    /// The position, in an array of the sizes `held`, of value `i` of a sample in the order of the network.
    pub fn source(self, held: &[usize], i: usize) -> usize {
        match (self, held) {
            (Order::Hwc, [h, w, c]) => i % (h * w) * c + i / (h * w),
            _ => i,
        }
    }

    /// Converts a sample `[channels, height, width]` to this order.
    pub fn held(self, [c, h, w]: [usize; 3], planes: Vec<f32>) -> Vec<f32> {
        match self {
            Order::Chw => planes,
            Order::Hwc => (0..planes.len()).map(|i| planes[i % c * (h * w) + i / c]).collect(),
        }
    }

    /// Whether an array of the sizes `held` fits the declared sizes. Axes of size 1 may be missing, unless a layout names the axes.
    pub fn fits(self, declared: &[usize], held: &[usize]) -> bool {
        let sizes = self.sizes(held);
        match (self, declared.len(), held.len()) {
            (Order::Hwc, 3, 3) => sizes == declared,
            _ => same(declared, &sizes),
        }
    }
}

/// Whether two lists of sizes differ at most in axes of size 1.
pub fn same(a: &[usize], b: &[usize]) -> bool {
    let long = |s: &&usize| **s != 1;
    a.iter().filter(long).eq(b.iter().filter(long))
}

/// Whether columns of these sizes together make an input of the declared sizes. Several columns are stacked along the first axis;
/// columns of one value each fill any sizes, the last axis first.
pub fn stack(order: Order, declared: &[usize], held: &[&[usize]]) -> bool {
    let count = |s: &[usize]| s.iter().fold(1usize, |n, d| n.saturating_mul(*d));
    if let [only] = held {
        return order.fits(declared, only);
    }
    if held.iter().all(|s| count(s) == 1) {
        return held.len() == count(declared);
    }
    let Some((first, rest)) = declared.split_first() else { return false };
    let along = |s: &[usize]| {
        let sizes = order.sizes(s);
        match sizes.as_slice() {
            [n, others @ ..] if others == rest => Some(*n),
            // A map without a channel axis, or a single value in a list.
            others if same(others, rest) => Some(1),
            others if rest.is_empty() && others.iter().filter(|n| **n != 1).count() <= 1 => Some(count(others)),
            _ => None,
        }
    };
    held.iter().map(|s| along(s)).try_fold(0usize, |n, k| n.checked_add(k?)) == Some(*first)
}

/// Height and width of an array with `channels` values per pixel; `None` for an array of another form.
pub fn grid(order: Order, channels: usize, held: &[usize]) -> Option<[usize; 2]> {
    match (order.sizes(held).as_slice(), channels) {
        ([c, h, w], _) if *c == channels => Some([*h, *w]),
        ([h, w, 1], 1) if order == Order::Chw => Some([*h, *w]),
        ([h, w], 1) => Some([*h, *w]),
        _ => None,
    }
}

/// Describes sizes: "[6, 10, 3]", or "one number".
pub fn words(sizes: &[usize]) -> String {
    if sizes.is_empty() { "one number".into() } else { format!("{sizes:?}") }
}

/// The message and the help for an input whose columns do not fit its declared sizes.
pub fn misfit(order: Order, declared: &[usize], input: &str, names: &[String], held: &[&[usize]]) -> (String, String) {
    let has = |(name, sizes): (&String, &&[usize])| format!("column `{name}` holds {} per sample", words(sizes));
    let (columns, help) = match held {
        [only] => (has((&names[0], only)), remedy(order, declared, only)),
        _ if names.len() > 4 => {
            let values: usize = held.iter().map(|s| s.iter().product::<usize>()).sum();
            (format!("its {} columns hold {values} values per sample", names.len()), STACKED.into())
        }
        _ => (names.iter().zip(held).map(has).collect::<Vec<_>>().join(", "), STACKED.into()),
    };
    (format!("the input `{input}` is declared as f32{declared:?}, and {columns}"), help)
}

const STACKED: &str =
    "several columns are stacked along the first axis of the input; all their other axes must have the declared sizes";

/// The help for a column that does not fit: `layout = hwc` if the array has that order.
pub fn remedy(order: Order, declared: &[usize], held: &[usize]) -> String {
    let turned = |s: &[usize]| s.iter().rev().copied().collect::<Vec<_>>();
    let images = declared.len() == 3 && held.len() == 3;
    match order {
        Order::Chw if images && Order::Hwc.fits(declared, held) => {
            "the array holds height, width, channels: write `layout = hwc`".into()
        }
        Order::Hwc if images && Order::Chw.fits(declared, held) => {
            "the array holds channels, height, width: leave out `layout = hwc`".into()
        }
        _ if declared.len() > 1 && same(declared, &turned(held)) => {
            "the axes are in the reverse order: transpose the array before it is saved".into()
        }
        _ if declared.len() == 1 && held.iter().product::<usize>() == declared[0] => {
            format!("declare the sizes of the array, {held:?}, and flatten it in the first stage")
        }
        _ => "declare the sizes that the array has, or bring the array to the declared ones".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_axis_by_axis() {
        use Order::{Chw, Hwc};
        for (order, declared, held, fits) in [
            (Chw, &[3, 6, 10][..], &[3, 6, 10][..], true),
            (Chw, &[3, 6, 10], &[6, 10, 3], false),
            (Hwc, &[3, 6, 10], &[6, 10, 3], true),
            (Hwc, &[3, 6, 10], &[3, 6, 10], false),
            (Chw, &[3, 6, 10], &[3, 10, 6], false),
            // An axis of one channel may be absent, or in any position.
            (Chw, &[1, 8, 5], &[8, 5], true),
            (Chw, &[8, 5], &[1, 8, 5], true),
            (Chw, &[1, 8, 5], &[8, 5, 1], true),
            (Chw, &[1, 8, 5], &[5, 8], false),
            (Hwc, &[1, 8, 5], &[8, 5, 1], true),
            (Hwc, &[1, 8, 5], &[8, 5], true),
            // A layout names the axes: three channels of 1 x 8 are not an image of 8 x 3.
            (Hwc, &[1, 8, 3], &[1, 8, 3], false),
            // The same number of values, but other axes.
            (Chw, &[64], &[8, 8], false),
            (Chw, &[8, 8], &[64], false),
            (Chw, &[6], &[6, 1], true),
            (Chw, &[1], &[], true),
            (Chw, &[1], &[1, 1], true),
        ] {
            assert_eq!(order.fits(declared, held), fits, "{order:?} {declared:?} {held:?}");
        }
    }

    #[test]
    fn values_are_found_where_they_stand() {
        // An array [2, 2, 3] whose values are 100 channel + 10 row + column.
        let held: Vec<usize> = (0..12).map(|i| 100 * (i % 3) + 10 * (i / 6) + i / 3 % 2).collect();
        let read: Vec<usize> = (0..12).map(|i| held[Order::Hwc.source(&[2, 2, 3], i)]).collect();
        assert_eq!(read, [0, 1, 10, 11, 100, 101, 110, 111, 200, 201, 210, 211]);
        assert_eq!(Order::Chw.source(&[2, 2, 3], 7), 7);
    }

    #[test]
    fn columns_stand_side_by_side() {
        let stack = |declared: &[usize], held: &[&[usize]]| stack(Order::Chw, declared, held);
        assert!(stack(&[5], &[&[], &[3], &[1]]));
        assert!(!stack(&[5], &[&[], &[3]]));
        // 784 columns of a table as an image.
        assert!(stack(&[1, 2, 2], &[&[], &[], &[], &[]]));
        assert!(stack(&[4, 6, 5], &[&[3, 6, 5], &[6, 5]]));
        assert!(!stack(&[4, 6, 5], &[&[6, 5, 3], &[6, 5]]));
        assert!(!stack(&[4, 6, 5], &[&[3, 6, 5], &[5, 6]]));
        assert!(!stack(&[9], &[&[2, 3], &[3]]));
        assert!(super::stack(Order::Hwc, &[4, 6, 5], &[&[6, 5, 3], &[6, 5, 1]]));
    }
}
