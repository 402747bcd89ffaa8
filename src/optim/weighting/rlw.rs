//! `rlw`: random loss weighting (Lin, Ye, Zhang, Tsang, TMLR 2022).
//!
//! At every step lambda = softmax(z) with z drawn anew, L = K sum_k lambda_k L_k; for `dirichlet`, lambda itself is drawn uniformly
//! from the simplex. The paper's weights sum to 1; here they are taken K times, so that their mean is `static`.

use candle_core::Result;
use rand_distr::{Distribution, StandardNormal};

use super::{Factors, Needs, Rule, Seen, Setting, WeightingDef, count, counted, softmax};
use crate::random::{Randomness, open_unit};
use crate::schema::{Args, AttrDef, CallDef, Need, Ty};

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "rlw",
        doc: "Random loss weighting: weights drawn anew at every step, K softmax(z) of standard normal z.",
        args: &[AttrDef {
            name: "distribution",
            ty: Ty::OneOf(&["normal", "uniform", "dirichlet"]),
            need: Need::Default("normal"),
            doc: "`normal`, `uniform`: of z, before the softmax; `dirichlet`: of the weights themselves, uniform over the simplex.",
        }],
    },
    paper: "Lin et al. 2022, Reasonable Effectiveness of Random Weighting",
    needs: Needs::Nothing,
    make: |args, setting| Ok(Box::new(Rlw::new(args, setting))),
};

enum Draw {
    Normal,
    Uniform,
    Dirichlet,
}

struct Rlw {
    draw: Draw,
    counted: Vec<bool>,
    random: Randomness,
}

impl Rlw {
    fn new(args: &Args, setting: &Setting) -> Rlw {
        let draw = match args.str("distribution") {
            "normal" => Draw::Normal,
            "uniform" => Draw::Uniform,
            _ => Draw::Dirichlet,
        };
        Rlw { draw, counted: counted(setting.tasks), random: setting.random }
    }
}

impl Rule for Rlw {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        let mut rng = self.random.stream("random loss weighting", [seen.step, 0, 0]);
        let one = |_: &bool| match self.draw {
            Draw::Normal => StandardNormal.sample(&mut rng),
            Draw::Uniform => open_unit(&mut rng),
            // Exponential draws over their sum are uniform on the simplex; their logarithms, for the softmax.
            Draw::Dirichlet => (-open_unit(&mut rng).ln()).ln(),
        };
        let z: Vec<f64> = self.counted.iter().map(one).collect();
        let tasks = count(&self.counted);
        Ok(Factors::alike(softmax(&z, &self.counted).into_iter().map(|l| tasks * l).collect()))
    }
}
