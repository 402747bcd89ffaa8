//! Arguments in, exit code out.

use std::path::Path;

fn main() {
    let a: Vec<String> = std::env::args().collect();
    let c = mtlc::driver::compile(Path::new(&a[1]), &Default::default()).unwrap();
    print!(
        "{}",
        mtlc::diag::render::render(
            mtlc::diag::render::MessageFormat::Human,
            &c.diagnostics,
            &c.sources,
            Default::default()
        )
    );
    if let Some(k) = &c.checked {
        if let Some(n) = &k.supernet {
            println!(
                "{} nodes {} choices {:?}",
                n.graph.node_count(),
                n.choices.len(),
                mtlc::ir::count::space_size(&k.spec, k.spec.space.as_ref().unwrap(), n)
            );
            println!("{:#?}", mtlc::check::cost::report(k, n));
        }
        if let Some(n) = &k.fixed {
            println!("{} nodes", n.graph.node_count());
            println!("{:?}", mtlc::check::cost::report(k, n));
        }
    }
}
