//! Random legal uses of every op: arguments and input types. An op without an arm here fails the gradient test.

use mtlc::ops::{self, Field, Fields, Op, OpDef, OpError, TensorType};
use mtlc::schema::{Args, Need, Ty, Value};
use mtlc::source::{FileId, Span, Spanned};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub struct Case {
    pub def: &'static OpDef,
    pub args: Vec<(&'static str, Value)>,
    pub inputs: Vec<TensorType>,
}

impl Case {
    pub fn make(&self) -> Result<Vec<Box<dyn Op>>, OpError> {
        (self.def.make)(&arguments(self.def, &self.args), &self.inputs)
    }

    pub fn describe(&self) -> String {
        format!(
            "{} {:?} on {:?}",
            self.def.call.name,
            self.args,
            self.inputs.iter().map(|t| t.to_string()).collect::<Vec<_>>()
        )
    }
}

/// Arguments with the table's defaults filled in.
pub fn arguments(def: &OpDef, given: &[(&'static str, Value)]) -> Args {
    let mut args = Args::default();
    let set = |args: &mut Args, name, value, written| {
        args.set(name, Spanned { value, span: Span::new(FileId(0), 0, 0) }, written);
    };
    for attr in def.call.args {
        if let Some((_, value)) = given.iter().find(|(name, _)| *name == attr.name) {
            set(&mut args, attr.name, value.clone(), true);
        } else if let Need::Default(text) = attr.need {
            let value = match attr.ty {
                Ty::Bool => Value::Bool(text == "true"),
                Ty::Int { .. } => Value::Int(text.parse().unwrap()),
                Ty::Float { .. } => Value::Float(text.parse().unwrap()),
                _ => Value::Name(vec![text.into()]),
            };
            set(&mut args, attr.name, value, false);
        } else {
            assert!(!matches!(attr.need, Need::Required), "{}: `{}` is required", def.call.name, attr.name);
        }
    }
    args
}

pub fn int(n: usize) -> Value {
    Value::Int(n as i64)
}

pub fn word(w: &str) -> Value {
    Value::Name(vec![w.into()])
}

pub fn op(name: &str, args: &[(&'static str, Value)], inputs: &[TensorType]) -> Vec<Box<dyn Op>> {
    let case = Case { def: ops::find(name).unwrap(), args: args.to_vec(), inputs: inputs.to_vec() };
    case.make().unwrap_or_else(|e| panic!("{}: {e:?}", case.describe()))
}

/// A random use of the op, or none if this file does not know it.
pub fn random(def: &'static OpDef, rng: &mut ChaCha8Rng) -> Option<Case> {
    let mut r = |from: usize, to: usize| rng.random_range(from..=to);
    let case = |args: Vec<(&'static str, Value)>, inputs: Vec<TensorType>| Some(Case { def, args, inputs });
    let name = def.call.name;
    match name {
        "linear" => {
            let (units, bias) = (int(r(1, 5)), Value::Bool(r(0, 1) == 1));
            case(vec![("units", units), ("bias", bias)], vec![any(&mut r)])
        }
        "conv" => {
            let groups = r(1, 3);
            let from = groups * if r(0, 2) == 0 { 1 } else { r(1, 2) };
            let (kernel, dilation) = (r(1, 4), r(1, 2));
            let least = dilation * (kernel - 1) + 1;
            let image = TensorType::dense([from, least + r(0, 4), least + r(0, 4)]);
            let mut args = vec![
                ("channels", int(groups * r(1, 2))),
                ("kernel", int(kernel)),
                ("stride", int(r(1, 3))),
                ("dilation", int(dilation)),
                ("groups", int(groups)),
                ("bias", Value::Bool(r(0, 1) == 1)),
            ];
            if r(0, 1) == 1 {
                args.push(("padding", int(r(0, 2))));
            }
            case(args, vec![image])
        }
        "batch_norm" => {
            let input = if r(0, 1) == 1 { image(&mut r) } else { TensorType::dense([r(1, 6)]) };
            case(vec![], vec![input])
        }
        "group_norm" => {
            let (groups, per) = (r(1, 3), r(2, 3));
            let mut dims = vec![groups * per];
            if r(0, 1) == 1 {
                dims.extend([r(1, 4), r(2, 4)]);
            }
            case(vec![("groups", int(groups))], vec![TensorType::dense(dims)])
        }
        "layer_norm" => {
            let mut dims = vec![r(2, 6)];
            if r(0, 1) == 1 {
                dims.insert(0, r(1, 4));
            }
            case(vec![], vec![TensorType::dense(dims)])
        }
        "relu" | "gelu" | "silu" | "sigmoid" | "tanh" | "softmax" | "flatten" | "identity" | "scale" | "bias" => {
            case(vec![], vec![any(&mut r)])
        }
        "leaky_relu" => case(vec![("slope", Value::Float(r(0, 10) as f64 / 20.0))], vec![any(&mut r)]),
        "elu" => case(vec![("alpha", Value::Float(r(1, 10) as f64 / 5.0))], vec![any(&mut r)]),
        "dropout" => case(vec![("p", Value::Float(r(0, 4) as f64 / 4.0))], vec![any(&mut r)]),
        "max_pool" | "avg_pool" => {
            let kernel = r(1, 4);
            let mut args = vec![("kernel", int(kernel)), ("padding", int(r(0, kernel / 2)))];
            if r(0, 1) == 1 {
                args.push(("stride", int(r(1, 4))));
            }
            if name == "avg_pool" {
                args.push(("count_include_pad", Value::Bool(r(0, 1) == 1)));
            }
            case(args, vec![TensorType::dense([r(1, 3), kernel + r(0, 5), kernel + r(0, 5)])])
        }
        "global_avg_pool" => case(vec![], vec![image(&mut r)]),
        "upsample" => {
            let mode = word(["nearest", "bilinear"][r(0, 1)]);
            case(vec![("factor", int(r(1, 3))), ("mode", mode)], vec![image(&mut r)])
        }
        "match" => {
            let image = image(&mut r);
            let channels = if r(0, 1) == 1 { image.sizes().unwrap()[0] } else { r(1, 4) };
            case(vec![("channels", int(channels)), ("stride", int(r(1, 2)))], vec![image])
        }
        "embedding" => case(vec![("size", int(r(1, 4)))], vec![fields(&mut r)]),
        "one_hot" => case(vec![], vec![fields(&mut r)]),
        "concat_fields" => case(vec![], vec![TensorType::dense([r(1, 4), r(1, 4)])]),
        "add" | "mul" | "mean" => {
            let input = any(&mut r);
            case(vec![], vec![input; r(2, 4)])
        }
        "concat" => {
            let TensorType::Dense(rest) = any(&mut r) else { unreachable!() };
            let with = |first: usize| TensorType::Dense([&[first.into()], &rest[1..]].concat());
            case(vec![], (0..r(2, 4)).map(|_| with(r(1, 3))).collect())
        }
        "mix" => {
            let gate = ["softmax", "sigmoid", "sum", "mean"][r(0, 3)];
            let mut inputs = vec![any(&mut r); r(1, 4)];
            if matches!(gate, "softmax" | "sigmoid") {
                inputs.insert(0, if r(0, 3) == 0 { fields(&mut r) } else { any(&mut r) });
            }
            case(vec![("gate", word(gate))], inputs)
        }
        _ => None,
    }
}

fn image(r: &mut impl FnMut(usize, usize) -> usize) -> TensorType {
    TensorType::dense([r(1, 4), r(1, 5), r(1, 5)])
}

fn any(r: &mut impl FnMut(usize, usize) -> usize) -> TensorType {
    TensorType::dense((0..r(1, 3)).map(|_| r(1, 5)).collect::<Vec<_>>())
}

fn fields(r: &mut impl FnMut(usize, usize) -> usize) -> TensorType {
    let field = |r: &mut dyn FnMut(usize, usize) -> usize| match r(0, 1) {
        0 => Field::Numeric,
        _ => Field::Category { values: r(1, 5) },
    };
    let columns: Vec<Field> = (0..r(1, 5)).map(|_| field(r)).collect();
    TensorType::Fields(Fields(Some(columns.into())))
}
