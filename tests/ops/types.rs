//! The front half: output types, weights, MACs, open sizes, and what ops refuse.

use mtlc::ops::{self, Dim, Field, Fields, OpError, TensorType};
use mtlc::schema::Value;

use crate::cases::{Case, int, op, word};

fn open_fields() -> TensorType {
    TensorType::Fields(Fields(None))
}

fn refused(name: &str, args: &[(&'static str, Value)], inputs: &[TensorType]) -> OpError {
    let case = Case { def: ops::find(name).unwrap(), args: args.to_vec(), inputs: inputs.to_vec() };
    case.make().expect_err(&case.describe())
}

fn image(c: usize, h: usize, w: usize) -> TensorType {
    TensorType::dense([c, h, w])
}

#[test]
fn names_are_unique_and_documented() {
    let mut names: Vec<_> = ops::table().iter().map(|d| d.call.name).collect();
    for def in ops::table() {
        assert!(def.call.doc.ends_with('.'), "{}", def.call.name);
        assert!(def.call.args.iter().all(|a| a.doc.ends_with('.')), "{}", def.call.name);
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ops::table().len());
}

#[test]
fn parameters_and_macs_of_known_layers() {
    // The first convolution of ResNet: 64 * 3 * 7 * 7 weights, 118 M MACs on 224 x 224.
    let conv = op(
        "conv",
        &[("channels", int(64)), ("kernel", int(7)), ("stride", int(2)), ("bias", Value::Bool(false))],
        &[image(3, 224, 224)],
    );
    assert_eq!(conv[0].output(), image(64, 112, 112));
    assert_eq!(conv[0].macs(), Some(118_013_952));
    assert_eq!(conv[0].weights().len(), 1);
    let pool = op("max_pool", &[("kernel", int(3)), ("stride", int(2)), ("padding", int(1))], &[conv[0].output()]);
    assert_eq!(pool[0].output(), image(64, 56, 56));
    // Depthwise: as many MACs as one input channel.
    let depthwise = op("conv", &[("channels", int(32)), ("groups", int(32))], &[image(32, 10, 10)]);
    assert_eq!(depthwise[0].macs(), Some(32 * 9 * 100));
    assert_eq!(depthwise[0].weights()[0].shape, [32, 1, 3, 3].map(Dim::Known));
    assert_eq!(op("linear", &[("units", int(10))], &[TensorType::dense([4, 8])])[0].macs(), Some(320));
    let mix =
        op("mix", &[("gate", word("softmax"))], &[image(2, 3, 4), TensorType::dense([5]), TensorType::dense([5])]);
    assert_eq!(mix[0].macs(), Some(48));
    assert_eq!(mix[0].weights()[0].name, "gate.weight");
    assert_eq!(mix[0].weights()[0].shape, [2, 24].map(Dim::Known));
}

#[test]
fn padding_defaults_to_the_same_size() {
    for (kernel, dilation) in [(1, 1), (3, 1), (5, 1), (7, 1), (3, 2), (5, 3)] {
        let conv = op(
            "conv",
            &[("channels", int(2)), ("kernel", int(kernel)), ("dilation", int(dilation))],
            &[image(1, 9, 8)],
        );
        assert_eq!(conv[0].output(), image(2, 9, 8), "kernel {kernel}, dilation {dilation}");
    }
}

#[test]
fn match_is_nothing_where_shapes_agree() {
    assert!(op("match", &[("channels", int(4))], &[image(4, 8, 8)]).is_empty());
    let chain = op("match", &[("channels", int(4)), ("stride", int(2))], &[image(4, 9, 8)]);
    assert_eq!(chain.iter().map(|op| op.name()).collect::<Vec<_>>(), ["conv", "batch_norm"]);
    assert_eq!(chain[1].output(), image(4, 5, 4));
    assert_eq!(chain[0].weights().len(), 1);
}

#[test]
fn open_sizes_flow() {
    let hot = op("one_hot", &[], &[open_fields()]);
    assert_eq!(hot[0].output().to_string(), "f32[?]");
    let norm = op("batch_norm", &[], &[hot[0].output()]);
    let linear = op("linear", &[("units", int(8))], &[norm[0].output()]);
    assert_eq!(linear[0].output(), TensorType::dense([8]));
    assert_eq!(linear[0].weights()[0].shape, [Dim::Known(8), Dim::Open]);
    assert_eq!(linear[0].macs(), None);
    let embedding = op("embedding", &[("size", int(4))], &[open_fields()]);
    assert_eq!(embedding[0].output().to_string(), "f32[?, 4]");
    let flat = op("concat_fields", &[], &[embedding[0].output()]);
    assert_eq!(flat[0].output().to_string(), "f32[?]");
    let beside = op("concat", &[], &[flat[0].output(), TensorType::dense([3])]);
    assert_eq!(beside[0].output().to_string(), "f32[?]");
    // One known size settles the others.
    let sum = op("add", &[], &[flat[0].output(), TensorType::dense([3])]);
    assert_eq!(sum[0].output(), TensorType::dense([3]));
    let mix = op("mix", &[("gate", word("sigmoid"))], &[open_fields(), TensorType::dense([3])]);
    assert_eq!(mix[0].weights()[0].shape, [Dim::Known(1), Dim::Open]);
    assert_eq!(mix[0].macs(), None);
}

#[test]
fn columns_without_a_kind_have_no_weights_for_it() {
    let names = |fields: &[Field]| {
        let fields = TensorType::Fields(Fields(Some(fields.into())));
        let embedding = op("embedding", &[("size", int(2))], &[fields]);
        embedding[0].weights().into_iter().map(|w| w.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[Field::Numeric]), ["weight", "bias"]);
    assert_eq!(names(&[Field::Category { values: 3 }]), ["table"]);
    assert_eq!(names(&[Field::Category { values: 3 }, Field::Numeric]), ["table", "weight", "bias"]);
}

#[test]
fn what_does_not_fit_is_refused_with_a_way_out() {
    let vector = TensorType::dense([128]);
    let conv = refused("conv", &[("channels", int(8))], std::slice::from_ref(&vector));
    assert_eq!(conv.message, "takes an image `[channels, height, width]`, and this is f32[128]");
    assert!(conv.help.is_some() && !conv.empty);
    for name in ["linear", "relu", "batch_norm", "dropout", "flatten", "add", "concat", "max_pool"] {
        let args: &[(&'static str, Value)] = match name {
            "linear" => &[("units", int(8))],
            "max_pool" => &[("kernel", int(2))],
            _ => &[],
        };
        let error = refused(name, args, &[open_fields(), open_fields()]);
        assert_eq!(error.message, "takes numbers, and this is fields(?)", "{name}");
        assert!(error.help.unwrap().contains("one_hot"));
    }
    assert!(refused("one_hot", &[], std::slice::from_ref(&vector)).message.contains("columns of a table"));
    let add = refused("add", &[], &[image(64, 8, 8), image(32, 8, 8)]);
    assert_eq!(add.message, "takes values of one shape, and these are f32[64, 8, 8] and f32[32, 8, 8]");
    let concat = refused("concat", &[], &[image(64, 8, 8), image(64, 4, 4)]);
    assert!(concat.message.contains("first dimension"), "{}", concat.message);
    assert!(refused("group_norm", &[("groups", int(3))], &[image(4, 2, 2)]).message.contains("leaves a rest"));
    assert!(
        refused("conv", &[("channels", int(4)), ("groups", int(3))], &[image(3, 9, 9)]).message.contains("3 groups")
    );
    assert!(refused("layer_norm", &[], &[image(4, 2, 2)]).help.unwrap().contains("group_norm(1)"));
    assert!(
        refused("max_pool", &[("kernel", int(2)), ("padding", int(2))], &[image(4, 4, 4)]).message.contains("padding")
    );
    assert!(refused("mix", &[("gate", word("softmax"))], &[vector]).message.contains("no values"));
}

#[test]
fn a_window_larger_than_its_image_leaves_nothing() {
    let pool = refused("max_pool", &[("kernel", int(4))], &[image(8, 3, 9)]);
    assert!(pool.empty);
    assert_eq!(pool.message, "needs 4 pixels for its window, and the height is 3");
    let conv = refused("conv", &[("channels", int(8)), ("kernel", int(7)), ("padding", int(1))], &[image(8, 7, 4)]);
    assert!(conv.empty);
    assert_eq!(conv.message, "needs 7 pixels for its window, and the width is 4, 6 with padding 1 on both sides");
}
