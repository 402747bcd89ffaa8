// The grammar of `.mtl` for editors. Line ends do not matter here: where entries follow one another without a comma, no
// expression can go on with what begins an entry. `grammar/mtl.pest` is the truth; the end-to-end tests compare the two.

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

const ITEMS = [
  'param', 'use', 'data', 'schema', 'input', 'task', 'block', 'backbone', 'head', 'space', 'search', 'topology', 'train',
  'provenance',
];

const UNITS = ['epochs', 'epoch', 'steps', 'step'];

const list = (rule) => seq(rule, repeat(seq(',', rule)), optional(','));

module.exports = grammar({
  name: 'mtl',

  word: ($) => $.identifier,

  extras: ($) => [/\s/, /\uFEFF/, $.comment],

  conflicts: ($) => [
    [$.quantity, $._primary],
  ],

  rules: {
    file: ($) => seq(optional($.edition), repeat($.item)),

    edition: ($) => seq('mtl', $.number),

    item: ($) =>
      prec.right(
        seq(
          field('keyword', alias(choice(...ITEMS), $.keyword)),
          optional(alias('topology', $.keyword)),
          repeat($._clause),
          optional(seq('=', field('value', $._expression))),
          optional($.body),
        ),
      ),

    _clause: ($) => choice(field('name', $.path), $.index, $.parameters, $.type, $.for_clause, $.on_clause, $.over_clause),

    type: ($) => seq(':', $._expression),
    for_clause: ($) => seq('for', $._for_target, repeat(seq(',', $._for_target))),
    _for_target: ($) => choice($._name, $.star),
    on_clause: ($) => seq('on', $.path, repeat(seq(',', $.path))),
    over_clause: ($) => seq('over', $.path),

    parameters: ($) => seq('(', optional(list($.parameter)), ')'),
    parameter: ($) => seq(field('name', $._name), optional($.type), optional(seq('=', $._expression))),

    body: ($) => seq('{', repeat(seq($._entry, optional(','))), '}'),
    _entry: ($) => choice($.attribute, $.nested, $.edge),

    attribute: ($) => seq(field('key', $._name), '=', field('value', choice($._expression, $.body))),

    nested: ($) =>
      seq(
        field('keyword', alias($.identifier, $.keyword)),
        choice(
          seq(optional(field('name', $.path)), optional($.index), $.body),
          seq(field('name', $.path), optional($.index), '=', field('value', $._expression)),
        ),
      ),

    edge: ($) => seq($._target, repeat(seq(',', $._target)), '<-', field('source', $._expression)),
    _target: ($) => $.path,

    _expression: ($) =>
      choice($.chain, $.binary, $.unary, $.range, $._primary),

    chain: ($) => prec.left(1, seq($._expression, '->', $._expression)),

    binary: ($) => {
      const table = [
        [2, 'or'],
        [3, 'and'],
        [5, choice('==', '!=', '<', '<=', '>', '>=', 'in')],
        [7, choice('+', '-')],
        [8, choice('*', '/', '%')],
      ];
      return choice(
        ...table.map(([rank, sign]) =>
          prec.left(rank, seq(field('left', $._expression), field('operator', sign), field('right', $._expression))),
        ),
      );
    },

    range: ($) => prec.left(6, seq($._expression, '..', $._expression)),
    unary: ($) => choice(prec(4, seq('not', $._expression)), prec(9, seq('-', $._expression))),

    _primary: ($) => choice($.number, $.quantity, $.call, $.indexed, $.path, $.list, $.group, $.star),

    quantity: ($) => prec.dynamic(1, seq($.number, alias(choice(...UNITS), $.unit))),

    call: ($) => prec(11, seq(field('callee', choice($.path, $.call, $.indexed)), $.arguments)),
    arguments: ($) => seq('(', optional(list(choice($.argument, $._expression))), ')'),
    argument: ($) => seq(field('name', $._name), '=', field('value', $._expression)),

    indexed: ($) => prec(11, seq(field('base', choice($.path, $.call, $.indexed)), $.index)),
    index: ($) => seq('[', optional(list($._expression)), ']'),

    list: ($) => seq('[', optional(list($._expression)), ']'),
    group: ($) => seq('(', list(choice($.argument, $._expression)), ')'),
    star: (_) => '*',

    path: ($) => prec.right(seq($._name, repeat(seq('.', $._name)))),
    // Words with a meaning elsewhere are names where a name stands.
    _name: ($) => choice($.identifier, $.string, alias(choice('in', 'mtl', ...UNITS), $.identifier)),

    identifier: (_) => /[A-Za-z_][A-Za-z0-9_]*/,
    string: (_) => token(seq('"', /([^"\\\n\r]|\\.)*/, '"')),
    number: (_) => /[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?[A-Za-z_0-9]*/,
    comment: (_) => token(seq('#', /[^\n\r]*/)),
  },
});
