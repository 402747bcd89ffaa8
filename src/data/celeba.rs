//! `format = celeba`: 202,599 face images with 40 attributes. Specs check; reading the images does not run yet.

use super::{DataError, FormatDef, KnownColumn, Outline, nothing_to_check};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: FormatDef = FormatDef {
    call: CallDef {
        name: "celeba",
        doc: "CelebA: `img_align_celeba/`, `list_attr_celeba.txt`, `list_eval_partition.txt`. Columns: `image` `[3, height, \
              width]` and the 40 attributes, which are the group `attributes`. Checks; does not run yet.",
        args: &[
            AttrDef {
                name: "root",
                ty: Ty::Path,
                need: Need::Required,
                doc: "Folder with the images and the two lists.",
            },
            AttrDef {
                name: "resize",
                ty: Ty::List(&Ty::Int { min: 1, max: 1 << 16 }),
                need: Need::Default("[218, 178]"),
                doc: "Height and width of the images; those on disk are 218 by 178.",
            },
            AttrDef {
                name: "augment",
                ty: Ty::List(&Ty::OneOf(&["flip"])),
                need: Need::Default("[]"),
                doc: "`flip`: training images are mirrored with probability one half.",
            },
        ],
    },
    outline: |args| {
        let sizes: Vec<usize> = args
            .list("resize")
            .iter()
            .filter_map(|v| match v.value {
                crate::schema::Value::Int(n) => usize::try_from(n).ok(),
                _ => None,
            })
            .collect();
        let image = match sizes.as_slice() {
            [h, w] => KnownColumn::numeric("image", &[3, *h, *w]),
            [side] => KnownColumn::numeric("image", &[3, *side, *side]),
            _ => KnownColumn { shape: None, ..KnownColumn::numeric("image", &[]) },
        };
        let attributes = ATTRIBUTES.iter().map(|a| KnownColumn::numeric(*a, &[]).group("attributes"));
        Outline { columns: Some(std::iter::once(image).chain(attributes).collect()), missing: Vec::new() }
    },
    check: nothing_to_check,
    load: |_, _| Err(DataError::Unavailable { format: "celeba" }),
    runs: false,
};

/// In the order of `list_attr_celeba.txt`.
const ATTRIBUTES: [&str; 40] = [
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
];
