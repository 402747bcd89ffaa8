//! Items and entries with places to fill in: label, what it is, text.

pub(super) static ITEMS: &[(&str, &str, &str)] = &[
    ("param ...", "a value that `--set` changes", "param ${1:name}: ${2:int} = ${3:64}"),
    ("use ...", "another file or a library module", "use ${1:std.resnet18}"),
    ("data ...", "where samples come from", "data ${1:name} {\n  format = $0\n}"),
    ("schema ...", "frozen facts about data", "schema ${1:name} {\n  $0\n}"),
    ("input ...", "what the network reads", "input ${1:image}: ${2:f32[3, 64, 64]}"),
    ("task ...", "what is to be learned", "task ${1:name}: ${2:binary}"),
    ("block ...", "a template of ops", "block ${1:name}(${2:c}: int) = ${3:conv(c)} -> ${4:relu}"),
    ("backbone ...", "stages that tasks may share", "backbone ${1:net}(${2:image}) {\n  stage ${3:s1} = $0\n}"),
    ("head ...", "the decoder of tasks", "head for ${1:*} = ${2:linear(outputs)}"),
    (
        "space ...",
        "what may be chosen",
        "space ${1:branching} over ${2:net} {\n  level ${3:s1} { copies = ${4:1} }$0\n}",
    ),
    ("search ...", "how it is chosen", "search ${1:learn_to_branch} {\n  epochs = ${2:30}$0\n}"),
    ("topology ...", "a fixed network", "topology over ${1:net} {\n  $0\n}"),
    (
        "train ...",
        "how a fixed network is trained",
        "train {\n  epochs = ${1:30}\n  optimizer = ${2:adam(lr = 1e-3)}$0\n}",
    ),
    ("provenance ...", "where a derived file came from", "provenance {\n  $0\n}"),
];

pub(super) static NESTED: &[(&str, &str)] = &[
    ("stage", "stage ${1:name} = $0"),
    ("level", "level ${1:stage} { copies = ${2:1}$0 }"),
    ("heads", "heads { per = ${1:task}, reads = ${2:one} }"),
    ("tree", "tree { $0 }"),
    ("single", "single { epochs = ${1:20}$0 }"),
    ("searched", "searched { $0 }"),
];
