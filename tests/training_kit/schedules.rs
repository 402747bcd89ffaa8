//! Schedules against values worked out by hand.

use mtlc::optim::{Schedule, find_schedule, schedules};
use mtlc::schema::{Duration, Value};

use crate::calls::{call, number, word};

fn schedule(name: &str, written: &[(&'static str, Value)]) -> Schedule {
    Schedule::new(&call(&find_schedule(name).unwrap().call, written))
}

fn epochs(n: f64) -> Value {
    Value::Duration(Duration::Epochs(n))
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

#[test]
fn temperatures_as_published() {
    // 10 / epoch, epochs from 1.
    let tau = schedule("inverse", &[("value", number(10.0))]);
    near(tau.value(1, 2500, 30), 10.0);
    near(tau.value(2500, 2500, 30), 10.0);
    near(tau.value(2501, 2500, 30), 5.0);
    near(tau.value(75_000, 2500, 30), 10.0 / 30.0);
    // 50 / sqrt(iteration), iterations from 1.
    let tau = schedule("inverse_sqrt", &[("value", number(50.0)), ("per", word("step"))]);
    near(tau.value(1, 20, 500), 50.0);
    near(tau.value(4, 20, 500), 25.0);
    near(tau.value(10_000, 20, 500), 0.5);
    near(schedule("constant", &[("value", number(2.5))]).value(123, 10, 100), 2.5);
}

#[test]
fn rate_falls_by_three_percent_every_2_4_epochs() {
    let every = [("rate", number(0.97)), ("every", epochs(2.4))];
    let stairs = schedule("exponential", &every);
    // 2.4 epochs of 2,500 steps are 6,000 steps; 2.4 of 7 are 16.8, so the 17th step that has passed is the first beyond.
    for (step, times) in [(1, 0), (6000, 0), (6001, 1), (12_000, 1), (12_001, 2), (72_001, 12), (75_000, 12)] {
        near(stairs.value(step, 2500, 30), 0.97f64.powi(times));
    }
    near(stairs.value(17, 7, 30), 1.0);
    near(stairs.value(18, 7, 30), 0.97);
    // Every length that divides evenly steps down exactly once, whatever its binary fraction.
    for per_epoch in [5, 10, 35, 2500, 2545] {
        let length = per_epoch * 12 / 5;
        for k in 1..40 {
            near(stairs.value(k * length, per_epoch as usize, 100), 0.97f64.powi(k as i32 - 1));
            near(stairs.value(k * length + 1, per_epoch as usize, 100), 0.97f64.powi(k as i32));
        }
    }
    // 1.1 * 50 is a little more than 55 in binary: the stair still comes after 55 steps.
    let stairs = schedule("exponential", &[("rate", number(0.5)), ("every", epochs(1.1))]);
    near(stairs.value(55, 50, 30), 1.0);
    near(stairs.value(56, 50, 30), 0.5);
    let smooth = schedule("exponential", &[every[0].clone(), every[1].clone(), ("smooth", Value::Bool(true))]);
    near(smooth.value(3001, 2500, 30), 0.97f64.sqrt());
}

#[test]
fn halved_every_15_epochs() {
    let s = schedule("step", &[("rate", number(0.5)), ("every", epochs(15.0))]);
    for (epoch, want) in [(1, 1.0), (15, 1.0), (16, 0.5), (30, 0.5), (31, 0.25)] {
        near(s.value((epoch - 1) * 100 + 1, 100, 40), want);
        near(s.value(epoch * 100, 100, 40), want);
    }
    let s = schedule("step", &[("rate", number(0.5)), ("every", Value::Duration(Duration::Steps(3.0)))]);
    assert_eq!([1, 3, 4, 7].map(|step| s.value(step, 100, 40)), [1.0, 1.0, 0.5, 0.25]);
}

#[test]
fn lines_and_waves() {
    let line = schedule("linear", &[("from", number(5.0)), ("to", number(1.0))]);
    near(line.value(1, 10, 4), 5.0);
    near(line.value(21, 10, 4), 3.0);
    near(line.value(40, 10, 4), 5.0 - 4.0 * 39.0 / 40.0);
    let line = schedule("linear", &[("from", number(5.0)), ("to", number(1.0)), ("over", epochs(2.0))]);
    near(line.value(11, 10, 4), 3.0);
    near(line.value(21, 10, 4), 1.0);
    near(line.value(40, 10, 4), 1.0);
    let wave = schedule("cosine", &[]);
    near(wave.value(1, 10, 4), 1.0);
    near(wave.value(21, 10, 4), 0.5);
    near(wave.value(31, 10, 4), 0.5 - 0.5 * 0.5f64.sqrt());
    near(wave.value(41, 10, 4), 0.0);
    near(schedule("cosine", &[("to", number(0.1))]).value(21, 10, 4), 0.55);
}

#[test]
fn warmup_leads_into_what_follows() {
    let alone = schedule("warmup", &[("steps", Value::Duration(Duration::Steps(4.0)))]);
    assert_eq!([1, 2, 4, 5, 100].map(|s| alone.value(s, 10, 4)), [0.25, 0.5, 1.0, 1.0, 1.0]);
    let then = Value::Call(call(&find_schedule("cosine").unwrap().call, &[]));
    let s = schedule("warmup", &[("steps", epochs(1.0)), ("then", then)]);
    near(s.value(10, 10, 5), 1.0);
    near(s.value(11, 10, 5), 1.0);
    near(s.value(31, 10, 5), 0.5);
    near(s.value(51, 10, 5), 0.0);
    let then = Value::Call(call(&find_schedule("inverse").unwrap().call, &[("value", number(6.0))]));
    let s = schedule("warmup", &[("steps", epochs(2.0)), ("then", then)]);
    assert_eq!([1, 20, 21, 31, 41].map(|step| s.value(step, 10, 5)), [0.3, 6.0, 6.0, 3.0, 2.0]);
    near(schedule("warmup", &[("steps", epochs(0.0))]).value(1, 10, 5), 1.0);
}

#[test]
fn a_length_of_nothing_is_refused() {
    for (name, argument) in [("exponential", "every"), ("step", "every"), ("linear", "over"), ("cosine", "over")] {
        let def = find_schedule(name).unwrap();
        let mut written = vec![(argument, epochs(0.0))];
        for needed in ["rate", "from", "to"] {
            if def.call.args.iter().any(|a| a.name == needed) {
                written.push((needed, number(0.5)));
            }
        }
        assert_eq!((def.check)(&call(&def.call, &written).args).unwrap_err().argument, argument);
    }
    assert_eq!(schedules().len(), 8);
}
