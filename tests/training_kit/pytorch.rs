//! Optimisers under schedules against PyTorch's, over twenty steps from the same gradients (`benches/peers/optimizers.py` writes the
//! fixture).

use candle_core::{Device, Tensor, Var};
use mtlc::optim::{Gradients, Missing, Optimizer, Schedule, find_optimizer, find_schedule};
use mtlc::schema::{Duration, Value as Argument};
use serde_json::Value;

use crate::calls::{call, number};

fn numbers(v: &Value) -> Vec<f32> {
    v.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number") as f32).collect()
}

fn written(arguments: &Value) -> Vec<(&'static str, Argument)> {
    let one = |(name, value): (&String, &Value)| {
        let name: &'static str = Box::leak(name.clone().into_boxed_str());
        let value = match (name, value) {
            ("every" | "over", v) => Argument::Duration(Duration::Steps(v.as_f64().expect("a number"))),
            (_, Value::Bool(b)) => Argument::Bool(*b),
            (_, v) => number(v.as_f64().expect("a number")),
        };
        (name, value)
    };
    arguments.as_object().expect("arguments").iter().map(one).collect()
}

#[test]
fn twenty_steps_are_those_of_pytorch() {
    let fixture: Value = serde_json::from_str(include_str!("pytorch.json")).expect("the fixture");
    let cases = fixture["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 40);
    let gradients = fixture["gradients"].as_array().expect("a list");
    for case in cases {
        let text = |key: &str| case[key].as_str().expect("a name").to_string();
        let what = format!("{} {} under {}", text("optimizer"), case["options"], text("schedule"));
        let start = numbers(&fixture["start"]);
        let w = Var::from_vec(start.clone(), start.len(), &Device::Cpu).expect("weights");
        let weights = [("w", &w)];
        let def = find_optimizer(&text("optimizer")).expect("in the table");
        let mut optimizer = Optimizer::new(&call(&def.call, &written(&case["options"])), &weights).expect("made");
        let def = find_schedule(&text("schedule")).expect("in the table");
        let schedule = Schedule::new(&call(&def.call, &written(&case["arguments"])));
        for (i, (grad, want)) in gradients.iter().zip(case["weights"].as_array().expect("a list")).enumerate() {
            let grad = Tensor::from_vec(numbers(grad), start.len(), &Device::Cpu).expect("a gradient");
            let grads = Gradients::new(vec![Some(grad)]);
            let rate = optimizer.lr() * schedule.value(i as u64 + 1, 4, 5);
            optimizer.step(&weights, &grads, rate, Missing::Zero).expect("a step");
            let (got, want) = (w.to_vec1::<f32>().expect("numbers"), numbers(want));
            let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let far = norm(&mut got.iter().zip(&want).map(|(a, b)| a - b)) / norm(&mut want.iter().copied());
            assert!(far <= 1e-6, "{what}, step {}: {far:e} of the norm away", i + 1);
        }
    }
}
