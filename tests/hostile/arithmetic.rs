//! Arithmetic on the constants of a program, with operands at the ends of their range.

use mtlc::driver;

const OPERANDS: [&str; 10] = [
    "(-9223372036854775807 - 1)",
    "(-9223372036854775807)",
    "(-1)",
    "0",
    "1",
    "9223372036854775807",
    "0.0",
    "0.5",
    "1e308",
    "(-1e308)",
];

/// The messages of the errors in a program with a complete network and a parameter `p` of this value.
fn errors(value: &str) -> Vec<String> {
    let text = format!(
        "mtl 1\nparam p: float = {value}\ninput x: f32[4]\ntask t: binary\nbackbone net(x) {{ stage s = linear(8) -> relu }}\nhead for t = linear(outputs)\n"
    );
    let path = std::path::Path::new("p.mtl");
    let compiled = driver::compile_text(&text, path, &Default::default(), &driver::read);
    compiled.diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.clone()).collect()
}

/// Every expression has a value or exactly one error that gives the reason.
#[test]
fn operands_at_the_ends_of_their_range() {
    let without = errors("1");
    let check = |value: &str| {
        let found: Vec<String> = errors(value).into_iter().filter(|m| !without.contains(m)).collect();
        let known = |m: &String| m == "division by zero" || m == "this number is too large to compute";
        assert!(found.len() <= 1 && found.iter().all(known), "{value}: {found:?}");
        found.into_iter().next()
    };
    for a in OPERANDS {
        for b in OPERANDS {
            for op in ["+", "-", "*", "/", "%"] {
                let found = check(&format!("{a} {op} {b}"));
                let by_zero = ["/", "%"].contains(&op) && ["0", "0.0"].contains(&b);
                assert_eq!(found.as_deref() == Some("division by zero"), by_zero, "{a} {op} {b}: {found:?}");
            }
        }
        check(&format!("-{a}"));
    }
    let [smallest, ..] = OPERANDS;
    for (value, fits) in [("/ (-1)", false), ("% (-1)", true), ("/ 1", true), ("- 1", false), ("* (-1)", false)] {
        assert_eq!(check(&format!("{smallest} {value}")).is_none(), fits, "{value}");
    }
    assert!(check(&format!("-{smallest}")).is_some());
}
