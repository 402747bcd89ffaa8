// Token tests of the TextMate grammar, with the engine that the editor uses.

const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const textmate = require('vscode-textmate');
const oniguruma = require('vscode-oniguruma');

const root = path.join(__dirname, '..');

async function grammar() {
  const wasm = fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm')).buffer;
  await oniguruma.loadWASM(wasm);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (p) => new oniguruma.OnigScanner(p),
      createOnigString: (s) => new oniguruma.OnigString(s),
    }),
    loadGrammar: async (scope) => {
      const file = { 'source.mtl': 'mtl.tmLanguage.json', 'markdown.mtl.codeblock': 'markdown.json' }[scope];
      if (!file) return null;
      const full = path.join(root, 'syntaxes', file);
      return textmate.parseRawGrammar(fs.readFileSync(full, 'utf8'), full);
    },
  });
  return registry.loadGrammar('source.mtl');
}

let loaded;
async function scopes(text) {
  loaded ||= grammar();
  const g = await loaded;
  const out = [];
  let stack = textmate.INITIAL;
  for (const line of text.split(/\r?\n/)) {
    const found = g.tokenizeLine(line, stack);
    stack = found.ruleStack;
    for (const t of found.tokens) out.push([line.slice(t.startIndex, t.endIndex), t.scopes.at(-1)]);
  }
  return out;
}

function has(found, word, scope) {
  assert.ok(found.some(([text, s]) => text === word && s.startsWith(scope)), `${word} is ${scope}: ${JSON.stringify(found)}`);
}

test('an item', async () => {
  const found = await scopes('mtl 1\nparam width: int = 64 in 8..512  # a note\ntask "odd one": binary { loss = bce }');
  has(found, 'mtl', 'keyword.other.edition');
  has(found, 'param', 'keyword.declaration');
  has(found, 'width', 'entity.name');
  has(found, '64', 'constant.numeric');
  has(found, 'in', 'keyword.operator.word');
  has(found, '# a note', 'comment.line');
  has(found, '"odd one"', 'entity.name');
  has(found, 'binary', 'support.type');
  has(found, 'loss', 'variable.other.property');
  has(found, 'bce', 'support.function');
});

test('a chain', async () => {
  const found = await scopes('backbone net(image) {\n  stage c1 = 2 * conv(64, kernel = 3) -> batch_norm -> relu\n}');
  has(found, 'stage', 'keyword.control');
  has(found, 'c1', 'entity.name');
  has(found, 'conv', 'support.function');
  has(found, 'kernel', 'variable.other.property');
  has(found, '->', 'keyword.operator');
  has(found, 'relu', 'support.function');
});

test('a topology', async () => {
  const found = await scopes('topology over net {\n  c1.a <- image\n  smiling, "odd one" <- c1.a\n}');
  has(found, 'over', 'keyword.control');
  has(found, '<-', 'keyword.operator');
});

test('a number with a scale and one with a unit', async () => {
  const found = await scopes('train { clip = 1e-4, epochs = 2.4 epochs, budget = params <= 2.2M }');
  has(found, '1e-4', 'constant.numeric');
  has(found, '2.2M', 'constant.numeric');
});

test('a string that is not closed ends with its line', async () => {
  const found = await scopes('use "a.mtl\nparam x: int = 1');
  has(found, 'param', 'keyword.declaration');
});

test('every example has no line that is one token', async () => {
  const folder = path.join(root, '../../examples');
  for (const name of fs.readdirSync(folder).filter((n) => n.endsWith('.mtl'))) {
    const found = await scopes(fs.readFileSync(path.join(folder, name), 'utf8'));
    assert.ok(found.filter(([, s]) => s !== 'source.mtl').length > 5, name);
  }
});
